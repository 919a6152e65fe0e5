/** The kinds of entries of an archive. */
enum Kind {
  FOLDER, FILE,
  /** A symbolic link. */
  LINK,
  /** Another name for a file or a symbolic link that stands before it in the archive. */
  HARD_LINK,
  /** A device, a named pipe, or something that only one program knows. */
  OTHER
}
