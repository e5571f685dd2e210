// The files of a model that is written byte for byte, whole or not at all.
//
// One file is made beside its place and renamed. Several are made in a folder `OUT.part`, which then takes
// the place of OUT at once: it is renamed to it or, where OUT is there, exchanged with it (renameat2), and
// what was in OUT is removed. What else lay in OUT (a tokenizer, a configuration) is linked into the new
// folder first.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/patch/layout.h"
#include "lib/tensorfile/part_file.h"

namespace mlq::patch {

// write() is thread-safe; the rest is for one thread.
class ModelFiles {
 public:
  // `out`: a file; or a folder, with a slash at its end or where one is. The headers are written at once. A
  // usage Error if the model needs a folder and `out` is a file, environment Errors as a PartFile's.
  ModelFiles(const std::string& out, const Layout& layout);
  ModelFiles(const ModelFiles&) = delete;
  ModelFiles& operator=(const ModelFiles&) = delete;
  ~ModelFiles();

  // Bytes `offset` ... of tensor `tensor` of the layout.
  void write(size_t tensor, uint64_t offset, std::span<const std::byte> bytes);
  // What was written is on disk when it returns.
  void sync();
  // All takes its place. Returns the paths of the files.
  std::vector<std::string> publish();

 private:
  void begin_folder();
  void adopt_others() const;
  void replace_folder();

  const Layout& layout_;
  std::string name_;         // as given: the file, or the folder without a slash
  std::string target_;       // the folder behind symbolic links
  std::string part_folder_;  // where the files of a folder are made; empty for a single file, and when it is
                             // published
  Fd lock_;                  // of that folder
  std::vector<std::unique_ptr<tensorfile::PartFile>> files_;
};

}  // namespace mlq::patch
