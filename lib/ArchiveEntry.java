/** One member of an archive; {@code offset} is that of its bytes in a plain tar, -1 where they are not in one piece. */
record ArchiveEntry(String name, boolean folder, boolean file, long size, long offset, Object header) {}
