// Paths of files that are to appear, and stay, whole.
#pragma once

#include <string>

namespace mlq {

// The folder of a path: what is before its last slash, or `.`.
std::string folder_of(const std::string& path);

// The file behind a symbolic link, so that a rename replaces the file and not the link; the path itself if
// nothing is there.
std::string behind_links(const std::string& path);

// Waits until what was made, renamed or removed in the folder is on the disk. Some file systems cannot; what
// was written to the files themselves is safe by then.
void sync_folder(const std::string& folder);

}  // namespace mlq
