enum Kind {
  FOLDER, FILE, SPARSE, LINK
}
