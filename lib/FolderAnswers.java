//DEPS info.picocli:picocli:4.7.7

import picocli.CommandLine.Option;

/** The administrator's answers to the reasons not to restore into a folder: one for each reason. */
final class FolderAnswers {
  @Option(names = "--allow-unmounted",
      description = "restore although the file system that /etc/fstab wants there is not mounted")
  boolean allowUnmounted;

  @Option(names = "--create-folder", description = "create the folder if it is missing")
  boolean createFolder;

  @Option(names = "--allow-other-content", description = "overwrite what does not look like TheHive's attachments")
  boolean allowOtherContent;
}
