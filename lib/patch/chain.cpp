#include "lib/patch/chain.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/base/io.h"
#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/records/quant_schema.h"
#include "lib/tensorfile/shard_index.h"
#include "lib/tensorfile/tensor.h"

namespace mlq::patch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAnchor = "anchor", kDelta = "delta";

records::ChainLink record_of(const Link& link) {
  records::ChainLink record;
  record.step = link.step;
  record.kind = link.is_anchor ? kAnchor : kDelta;
  record.file = link.file;
  record.size_bytes = link.size_bytes;
  if (link.parent) record.parent_hash = quant::hash_text(*link.parent);
  record.result_hash = quant::hash_text(link.result);
  return record;
}

Link parse_link(std::string_view line, const std::string& where) {
  jsonl::ObjectParser object;
  if (!object.parse_copy(line)) throw input_error("{}: {}", where, object.error());
  const jsonl::Value* type = object.find("type");
  if (type == nullptr || type->kind != jsonl::Kind::string ||
      type->text != records::Schema<records::ChainLink>::type)
    throw input_error("{}: is no link record", where);
  records::ChainLink record;
  if (const auto result = records::read_record(object.members(), record); !result.ok)
    throw input_error("{}: {}", where, result.error);
  Link link;
  link.is_anchor = record.kind == kAnchor;
  if (!link.is_anchor && record.kind != kDelta)
    throw input_error("{}: {} is no kind of link", where, tensorfile::in_quotes(record.kind));
  if (!tensorfile::is_plain_name(record.file))
    throw input_error("{}: {} is not the name of a file in the folder", where,
                      tensorfile::in_quotes(record.file));
  if (record.parent_hash.has_value() == link.is_anchor)
    throw input_error("{}: a delta has a parent_hash, an anchor has none", where);
  link.step = record.step;
  link.file = record.file;
  link.size_bytes = record.size_bytes;
  try {
    link.result = quant::parse_hash(record.result_hash);
    if (record.parent_hash) link.parent = quant::parse_hash(*record.parent_hash);
  } catch (const Error& error) {
    throw input_error("{}: {}", where, error.what());
  }
  return link;
}

}  // namespace

std::string link_line(const Link& link) {
  jsonl::Buffer line;
  records::write_record(line, record_of(link));
  return std::string(line.view());
}

std::string Chain::list_path() const { return folder_ + "/" + std::string(kList); }

bool Chain::is_chain(const std::string& folder) {
  std::error_code none;
  return fs::is_regular_file(fs::path(folder) / kList, none);
}

Chain Chain::open(const std::string& folder) {
  Chain chain(folder);
  chain.read();
  return chain;
}

Chain Chain::open_to_add(const std::string& folder) {
  Chain chain(folder);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw environment_error("{}: cannot make the folder: {}", folder, error.message());
  chain.lock();
  if (fs::exists(chain.list_path(), error)) chain.read();
  return chain;
}

Chain Chain::open_to_change(const std::string& folder) {
  std::error_code none;
  if (!fs::is_directory(folder, none)) throw input_error("{}: there is no such folder", folder);
  if (!is_chain(folder)) throw input_error("{}: has no {}; it is no chain", folder, kList);
  Chain chain(folder);
  chain.lock();
  chain.read();
  return chain;
}

// Of the folder: the list itself is replaced by drop_before().
void Chain::lock() {
  lock_ = Fd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_) throw environment_error("{}: cannot open: {}", folder_, std::strerror(errno));
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
    throw usage_error("{}: another process is changing it; wait for it", folder_);
}

void Chain::read() {
  const std::string text = read_file(list_path());
  size_t number = 1;
  for (size_t at = 0;; ++number) {
    const size_t end = text.find('\n', at);
    whole_bytes_ = at;
    if (end == text.npos) return;
    const std::string where = fmt::format("{}:{}", list_path(), number);
    Link link = parse_link(std::string_view(text).substr(at, end - at), where);
    check_next(link, where);
    links_.push_back(std::move(link));
    at = end + 1;
  }
}

void Chain::check_next(const Link& link, const std::string& where) const {
  const auto fail = [&](std::string_view why) {
    return input_error("{}: step {}: {}", where, link.step, why);
  };
  if (links_.empty()) {
    if (!link.is_anchor) throw fail("a chain begins with an anchor");
    return;
  }
  const Link& last = links_.back();
  const bool same = link.is_anchor && !last.is_anchor && link.step == last.step && link.result == last.result;
  if (link.step <= last.step && !same) throw fail(fmt::format("the last one in the chain is {}", last.step));
  if (!link.is_anchor && *link.parent != last.result)
    throw fail(fmt::format("is for {}, and the model at step {} is {}", quant::hash_text(*link.parent),
                           last.step, quant::hash_text(last.result)));
}

size_t Chain::find(uint64_t step) const {
  const auto after = std::ranges::upper_bound(links_, step, {}, &Link::step);
  if (after != links_.begin() && std::prev(after)->step == step)
    return static_cast<size_t>(std::prev(after) - links_.begin());
  if (links_.empty()) throw input_error("{}: the chain is empty", folder_);
  std::string around;
  if (after != links_.begin()) around += fmt::format("; before it is {}", std::prev(after)->step);
  if (after != links_.end()) around += fmt::format("; after it is {}", after->step);
  throw input_error("{}: has no step {}{}", folder_, step, around);
}

ChainPath Chain::path_to(uint64_t step) const { return path_to_link(find(step)); }

ChainPath Chain::path_to_link(size_t at) const {
  ChainPath path;
  for (; !links_[at].is_anchor; --at) path.patches.push_back(at);  // the first is an anchor
  path.anchor = at;
  std::ranges::reverse(path.patches);
  return path;
}

std::optional<ChainPath> Chain::path_from(const quant::Digest& model, uint64_t step) const {
  ChainPath path;
  for (size_t at = find(step) + 1; at-- > 0;) {
    if (links_[at].result == model) {
      std::ranges::reverse(path.patches);
      return path;
    }
    // An anchor beside a patch to the same model is passed over; one alone cannot be.
    if (links_[at].is_anchor) {
      if (at == 0 || links_[at - 1].step != links_[at].step) return std::nullopt;
    } else {
      path.patches.push_back(at);
    }
  }
  return std::nullopt;
}

void Chain::add(Link link) {
  check_next(link, folder_);
  const std::string path = list_path();
  const Fd list(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!list || ::ftruncate(list.get(), static_cast<off_t>(whole_bytes_)) != 0)
    throw environment_error("{}: cannot write: {}", path, std::strerror(errno));
  const std::string line = link_line(link);
  tensorfile::write_fully(list.get(), path, whole_bytes_, std::as_bytes(std::span(line)));
  tensorfile::sync_file(list.get(), path);
  if (links_.empty()) sync_folder(folder_);
  whole_bytes_ += line.size();
  links_.push_back(std::move(link));
}

uint64_t Chain::next_step() const {
  if (links_.empty()) return 0;
  if (links_.back().step == std::numeric_limits<uint64_t>::max())
    throw input_error("{}: its last step is {}, the largest there is; no other can follow", folder_,
                      links_.back().step);
  return links_.back().step + 1;
}

size_t Chain::drop_before(uint64_t step) {
  const auto kept = std::ranges::lower_bound(links_, step, {}, &Link::step);
  if (links_.empty()) throw input_error("{}: the chain is empty", folder_);
  if (kept == links_.end())
    throw input_error("{}: has no step {} or later; the last is {}", folder_, step, links_.back().step);
  const size_t first = *path_to(kept->step).anchor;
  if (first == 0) return 0;
  const std::vector<Link> dropped(links_.begin(), links_.begin() + static_cast<ptrdiff_t>(first));
  links_.erase(links_.begin(), links_.begin() + static_cast<ptrdiff_t>(first));
  Output list = Output::open(list_path());
  whole_bytes_ = 0;
  for (const Link& link : links_) {
    const std::string line = link_line(link);
    list.write(line);
    whole_bytes_ += line.size();
  }
  list.close();
  std::error_code none;
  for (const Link& link : dropped) fs::remove_all(path_of(link), none);
  return dropped.size();
}

}  // namespace mlq::patch
