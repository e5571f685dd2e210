// A folder of checkpoints: whole models ("anchors"), the patches between them, and `chain.jsonl`, a `link`
// record for each in the order of their steps. A file is there before its link is: the link is what makes it
// part of the chain, and whatever has no link is of one who was killed. The list is append-only, a cut last
// line is dropped; who follows a chain reads on from where it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/fd.h"
#include "lib/quant/tree_hash.h"
#include "lib/tensorfile/posix_file.h"

namespace mlq::patch {

struct Link {
  bool is_anchor = false;
  uint64_t step = 0;
  std::string file;  // its name in the folder; an anchor may be a folder
  uint64_t size_bytes = 0;
  std::optional<quant::Digest> parent;  // of a patch
  quant::Digest result{};               // of the model at that step
};

// From which links a model is made: an anchor and patches, or patches alone.
struct ChainPath {
  std::optional<size_t> anchor;
  std::vector<size_t> patches;
};

class Chain {
 public:
  static constexpr std::string_view kList = "chain.jsonl";
  static bool is_chain(const std::string& folder);

  // Reads the list. An input Error, with the line, for a link that is none, whose step is not above that of
  // the one before it (an anchor may repeat the step of the patch that makes the same model), or that leads
  // on from another model.
  static Chain open(const std::string& folder);
  // The same, to add to it: makes folder and list where there are none, and holds a lock. A usage Error if
  // another process has it.
  static Chain open_to_add(const std::string& folder);
  // The same of a chain that is there: an input Error if it is not.
  static Chain open_to_change(const std::string& folder);

  const std::string& folder() const { return folder_; }
  const std::vector<Link>& links() const { return links_; }
  std::string path_of(const Link& link) const { return folder_ + "/" + link.file; }

  // To the model at `step`, from the nearest anchor at or before it. An input Error that names the steps
  // around it if there is none.
  ChainPath path_to(uint64_t step) const;
  // To the model that link `index` makes: by its patch, also where an anchor has the same.
  ChainPath path_to_link(size_t index) const;
  // To the model at `step` from the latest model before it that has that hash, by patches alone; nothing if
  // there is no such way.
  std::optional<ChainPath> path_from(const quant::Digest& model, uint64_t step) const;

  // Appends a link, on disk when it returns. Errors as open()'s for what does not follow.
  void add(Link link);
  // The step after the last one, 0 if there is none. An input Error if there can be none.
  uint64_t next_step() const;
  // Takes out all links that no model at `step` or later needs, which are those before the nearest anchor at
  // or before the first of these models; their files go once the new list is in its place. Returns how many
  // links. An input Error if the chain ends before `step`.
  size_t drop_before(uint64_t step);

 private:
  explicit Chain(std::string folder) : folder_(std::move(folder)) {}
  std::string list_path() const;
  void lock();
  void read();
  void check_next(const Link& link, const std::string& where) const;
  size_t find(uint64_t step) const;  // the last link of that step

  std::string folder_;
  std::vector<Link> links_;
  uint64_t whole_bytes_ = 0;  // of the list
  Fd lock_;
};

// The `link` record of a link, as a line.
std::string link_line(const Link& link);

}  // namespace mlq::patch
