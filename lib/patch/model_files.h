// The files of a model that is written byte for byte, whole or not at all.
//
// One file is made beside its place and renamed. Several are made in a folder `OUT.part`, which then takes
// the place of OUT at once: it is renamed to it or, where OUT is there, exchanged with it (renameat2). What
// else lies in OUT (a tokenizer, a configuration, other models) is linked into the new folder first, so that
// it stays; but for the files of the model that the new one is made from and takes the place of, which may be
// more, fewer or of other names.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/patch/model.h"
#include "lib/tensorfile/part_file.h"

namespace mlq::patch {

// Where a model goes.
struct ModelPlace {
  std::string out;              // a file; or a folder, with a slash at its end or where one is
  std::string option = "-o";    // that names it, for messages
  const Model* base = nullptr;  // what the new model is made from: replaced if it is the model of that folder
};

// write() is thread-safe; the rest is for one thread.
class ModelFiles {
 public:
  // The headers are written at once. A usage Error if the model needs a folder and `out` is a file, if what
  // lies in the folder would be taken for it or a part of it, or if a part of the base would be replaced;
  // environment Errors as a PartFile's.
  ModelFiles(const ModelPlace& place, const Layout& layout);
  ModelFiles(const ModelFiles&) = delete;
  ModelFiles& operator=(const ModelFiles&) = delete;
  ~ModelFiles();

  // Bytes `offset` ... of tensor `tensor` of the layout.
  void write(size_t tensor, uint64_t offset, std::span<const std::byte> bytes);
  // What was written is on disk when it returns.
  void sync();
  // As PartFile::is_stream().
  bool is_stream() const { return files_.front()->is_stream(); }
  // All takes its place. Returns the paths of the files.
  std::vector<std::string> publish();

 private:
  void take_place_of(const Model& base);
  void begin(bool folder);
  void discard();
  bool is_ours(const std::string& name) const;
  bool goes(const std::string& name) const;
  void refuse_other_models() const;
  [[noreturn]] void refuse_neighbour(const std::string& name) const;
  void begin_folder();
  std::vector<std::filesystem::path> others() const;
  void adopt_others() const;
  void replace_folder();
  void remove_old();

  const Layout& layout_;
  std::string option_;
  std::string name_;         // as given: the file, or the folder without a slash
  std::string target_;       // the folder behind symbolic links
  std::string part_folder_;  // where the files of a folder are made; empty for a single file, and when it is
                             // published
  Fd lock_;                  // of that folder
  bool in_place_ = false;    // the base is the model of the folder
  std::vector<std::string> old_;  // names of the base's files in it
  std::vector<std::unique_ptr<tensorfile::PartFile>> files_;
};

}  // namespace mlq::patch
