#include "lib/simigrad/live/state_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/base/io.h"
#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"

namespace mlq::simigrad {
namespace {

constexpr size_t kLargest = size_t{1} << 30;
constexpr std::string_view kFirst = "{\"type\":\"journal\"";

std::string system_error() { return std::strerror(errno); }

// The line that begins at `at`, without its end; `at` moves behind it. False if its end is missing.
bool take_line(std::string_view text, size_t& at, std::string_view& line) {
  const size_t end = text.find('\n', at);
  if (end == text.npos) return false;
  line = text.substr(at, end - at);
  at = end + 1;
  return true;
}

void check_first(std::string_view line, std::string_view options, const std::string& path) {
  records::AdviceJournal record;
  jsonl::OwnedObject object(line);
  const records::ReadResult read = object.ok() ? records::read_record(object.parser().members(), record)
                                               : records::ReadResult{false, object.parser().error(), {}};
  if (!read.ok) throw input_error("{}:1: {}; the journal is damaged", path, read.error);
  if (record.protocol != kProtocol)
    throw input_error("{}:1: of protocol {}; this program speaks {}", path, record.protocol, kProtocol);
  if (const std::string differs = first_difference(options, record.options); !differs.empty())
    throw usage_error("--state: {} was begun with other options: {}; use them, or another file", path,
                      differs);
}

}  // namespace

StateFile::StateFile(const std::string& path, std::string_view options, std::string_view version, bool sync,
                     Advisor& advisor, const std::function<void(const std::string&)>& notice)
    : path_(path), sync_(sync) {
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file_ < 0) throw environment_error("{}: cannot open: {}", path, system_error());
  try {
    struct stat kind {};
    if (::fstat(file_, &kind) == 0 && !S_ISREG(kind.st_mode))
      throw environment_error("{}: is no regular file; a journal must be one", path);
    if (::flock(file_, LOCK_EX | LOCK_NB) != 0)
      throw environment_error("{}: another process writes to it; a run has one journal", path);
    const std::string text = read_file(path, kLargest);
    const size_t whole = replay(text, options, advisor);
    if (whole < text.size()) {
      if (::ftruncate(file_, static_cast<off_t>(whole)) != 0)
        throw environment_error("{}: cannot take off its last line, which was cut: {}", path, system_error());
      notice(fmt::format("{}: its end was cut, and is taken off", path));
    }
    if (whole == 0) {
      records::AdviceJournal first{kProtocol, std::string(version), std::string(options)};
      jsonl::Buffer line;
      records::write_record(line, first);
      write(line.view());
      sync_folder(folder_of(path));
    }
  } catch (...) {
    ::close(file_);
    throw;
  }
}

StateFile::~StateFile() { ::close(file_); }

// Returns how many bytes are whole: the first line and pairs of request and reply.
size_t StateFile::replay(const std::string& text, std::string_view options, Advisor& advisor) const {
  // Nothing is taken off a file of somebody else's.
  if (!kFirst.starts_with(std::string_view(text).substr(0, kFirst.size())))
    throw input_error("{}: is no journal of mlq-simigrad follow", path_);
  size_t at = 0;
  std::string_view line;
  if (!take_line(text, at, line)) return 0;
  check_first(line, options, path_);
  size_t whole = at;
  for (uint64_t number = 2;; number += 2) {
    std::string_view request, reply;
    if (!take_line(text, at, request) || !take_line(text, at, reply)) return whole;
    const std::string again = advisor.answer(request).line;
    if (again.empty() || std::string_view(again).substr(0, again.size() - 1) != reply)
      throw input_error(
          "{}:{}: the request before it is answered otherwise by this program; the journal was changed, "
          "or is of another version",
          path_, number + 1);
    whole = at;
  }
}

void StateFile::append(std::string_view request, std::string_view reply) {
  std::string pair;
  pair.reserve(request.size() + 1 + reply.size());
  pair.append(request).append("\n").append(reply);
  write(pair);
}

void StateFile::write(std::string_view text) {
  const off_t size = ::lseek(file_, 0, SEEK_END);
  size_t done = 0;
  int error = 0;
  while (done < text.size() && error == 0) {
    const ssize_t n = ::write(file_, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error = n < 0 ? errno : ENOSPC;
    } else {
      done += static_cast<size_t>(n);
    }
  }
  if (error == 0 && sync_ && ::fdatasync(file_) != 0) error = errno;
  if (error == 0) return;
  // Whole pairs only. If taking back fails too, the next start finds a cut end.
  if (size >= 0 && ::ftruncate(file_, size) != 0) error = errno;
  throw environment_error("{}: cannot write: {}", path_, std::strerror(error));
}

}  // namespace mlq::simigrad
