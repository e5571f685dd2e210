#include "lib/tune/journal/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "lib/base/error.h"
#include "lib/base/folder.h"
#include "lib/base/io.h"
#include "lib/base/units.h"
#include "lib/jsonl/object.h"
#include "lib/records/codec.h"
#include "lib/records/tune_schema.h"

namespace mlq::tune {
namespace {

constexpr size_t kLargest = size_t{1} << 30;

std::string system_error() { return std::strerror(errno); }

template <class T>
T record_of(const jsonl::ObjectParser& object, const std::string& where) {
  T record;
  const records::ReadResult result = records::read_record(object.members(), record);
  if (!result.ok) throw input_error("{}: {}", where, result.error);
  return record;
}

// One line of the journal into `contents`.
void take(const jsonl::ObjectParser& object, uint64_t line, const std::string& where,
          JournalContents& contents) {
  const jsonl::Value* type = object.find("type");
  if (type == nullptr || type->kind != jsonl::Kind::string)
    throw input_error("{}: the line has no type; this is no journal of mlq-tune", where);
  const std::string_view name = type->text;
  if (name == "run") {
    JournalRun run;
    run.run = record_of<records::Run>(object, where);
    if (run.run.tool != "mlq-tune")
      throw input_error("{}: written by {}; this is no journal of mlq-tune", where,
                        run.run.tool.empty() ? "nobody that says so" : run.run.tool);
    if (run.run.schema > records::kSchemaVersion)
      throw input_error("{}: written by a newer mlq (schema {}; this one reads up to {})", where,
                        run.run.schema, records::kSchemaVersion);
    run.line = line;
    contents.runs.push_back(std::move(run));
    return;
  }
  JournalRun& run = contents.runs.back();
  if (run.end) throw input_error("{}: a {} record after the end of its run", where, name);
  if (name == "end") {
    run.end = record_of<records::End>(object, where);
  } else if (name == "decision") {
    run.decisions.push_back(record_of<records::Decision>(object, where));
  } else if (name == "trial") {
    run.trials.push_back(record_of<records::Trial>(object, where));
    contents.next_i = std::max(contents.next_i, run.trials.back().i + 1);
  } else if (name == "event") {
    run.events.push_back(record_of<records::TuneEvent>(object, where));
  } else if (name == "policy") {
    run.policies.push_back(record_of<records::Policy>(object, where));
  } else if (name == "ask") {
    run.asks.push_back(record_of<records::Ask>(object, where));
    contents.next_i = std::max(contents.next_i, run.asks.back().i + 1);
  } else if (name == "tell") {
    run.tells.push_back(record_of<records::Tell>(object, where));
  }
}

// Reads `text`; returns how many bytes of it are whole lines in good order.
size_t read_lines(const std::string& text, const std::string& path, JournalContents& contents) {
  jsonl::ObjectParser object;
  uint64_t number = 0;
  // Nothing is taken off a file of somebody else's.
  constexpr std::string_view kFirst = "{\"type\":\"run\"";
  const std::string_view begin = std::string_view(text).substr(0, kFirst.size());
  if (!kFirst.starts_with(begin))
    throw input_error("{}: is no journal of mlq-tune, which begins with a run record", path);
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    ++number;
    const std::string where = fmt::format("{}: line {}", path, number);
    const bool last = end == text.npos || end + 1 == text.size();
    const std::string_view line = std::string_view(text).substr(at, end == text.npos ? text.npos : end - at);
    // A write may have reached the disk in part only: of the last line anything may be missing.
    if (end == text.npos || !object.parse_copy(line)) {
      if (!last) {
        throw input_error(
            "{}: {}; the journal is damaged; --state-reset begins a new one and keeps this as {}.old", where,
            object.error(), path);
      }
      contents.torn = true;
      return at;
    }
    take(object, number, where, contents);
    at = end + 1;
  }
  return text.size();
}

std::string last_end() {
  records::End end;
  end.interrupted = true;
  end.recovered = true;
  jsonl::Buffer line;
  records::write_record(line, end);
  return std::string(line.view());
}

// "pid 123 (search, since 2m5s)" from what the holder wrote; empty if it has not yet.
std::string holder(const std::string& lock_path, int64_t now_unix_ns) {
  std::string text;
  try {
    text = read_file(lock_path, 4096);
  } catch (const Error&) {
    return "";
  }
  int pid = 0;
  long long since = 0;
  char command[64] = "";
  if (std::sscanf(text.c_str(), "%d %63s %lld", &pid, command, &since) != 3) return "";
  const int64_t age_s = std::max<int64_t>(0, (now_unix_ns - since) / 1'000'000'000);
  return fmt::format(" by pid {} ({}, for {})", pid, command, format_duration(age_s * 1'000'000'000));
}

}  // namespace

const records::Decision* JournalRun::unanswered() const {
  if (decisions.empty()) return nullptr;
  const records::Decision& last = decisions.back();
  for (const records::Trial& trial : trials)
    if (trial.i == last.i) return nullptr;
  for (const records::TuneEvent& event : events)
    if ((event.event == "reverted" || event.event == "recovered" || event.event == "promoted") &&
        event.i == last.i)
      return nullptr;
  return &last;
}

JournalContents read_journal(const std::string& path) {
  JournalContents contents;
  read_lines(read_file(path, kLargest), path, contents);
  return contents;
}

Journal::Journal(const JournalOptions& options, const std::function<void(const std::string&)>& notice)
    : path_(options.path) {
  // Before anything is made beside it, or it is put aside.
  struct stat kind {};
  if (::stat(path_.c_str(), &kind) == 0 && !S_ISREG(kind.st_mode))
    throw environment_error("{}: it is no regular file; a journal must be one", path_);
  lock(options);
  try {
    if (options.reset && ::access(path_.c_str(), F_OK) == 0 &&
        ::rename(path_.c_str(), (path_ + ".old").c_str()) != 0)
      throw environment_error("{}: cannot keep it as {}.old: {}", path_, path_, system_error());
    file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file_ < 0) throw environment_error("{}: cannot open: {}", path_, system_error());
    repair(notice);
    for (const JournalRun& run : before_.runs) {
      if (run.run.space_xxh3 && *run.run.space_xxh3 != options.space_xxh3) {
        throw input_error(
            "{}: line {}: the journal is of another space of knobs; --state-reset begins a new one and keeps "
            "this as "
            "{}.old",
            path_, run.line, path_);
      }
    }
    sync_folder(folder_of(path_));
  } catch (...) {
    if (file_ >= 0) ::close(file_);
    ::close(lock_);
    throw;
  }
}

Journal::~Journal() {
  ::close(file_);
  // The name goes while the lock is still held; who opened it meanwhile looks whether it is still there.
  ::unlink((path_ + ".lock").c_str());
  ::close(lock_);
}

void Journal::lock(const JournalOptions& options) {
  const std::string path = path_ + ".lock";
  for (;;) {
    lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_ < 0) throw environment_error("{}: cannot create: {}", path, system_error());
    if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
      const bool held = errno == EWOULDBLOCK;
      const std::string why = system_error();
      ::close(lock_);
      if (!held) throw environment_error("{}: cannot lock: {}", path, why);
      throw environment_error("{}: the journal is in use{}; one program at a time changes an endpoint", path_,
                              holder(path, options.now_unix_ns));
    }
    struct stat ours {
    }, named{};
    if (::fstat(lock_, &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino) break;
    ::close(lock_);
  }
  const std::string text = fmt::format("{} {} {}\n", ::getpid(), options.command, options.now_unix_ns);
  if (::ftruncate(lock_, 0) != 0 || ::pwrite(lock_, text.data(), text.size(), 0) < 0) {
    // The lock holds all the same; only the message of those who find it held is poorer.
  }
}

void Journal::repair(const std::function<void(const std::string&)>& notice) {
  const std::string text = read_file(path_, kLargest);
  const size_t good = read_lines(text, path_, before_);
  if (good < text.size()) {
    if (::ftruncate(file_, static_cast<off_t>(good)) != 0)
      throw environment_error("{}: cannot take off its last line, which was cut: {}", path_, system_error());
    notice(fmt::format("{}: its last line was cut, and is taken off", path_));
  }
  if (!before_.runs.empty() && !before_.runs.back().end) {
    was_cut_ = true;
    append(last_end(), true);
    records::End end;
    end.interrupted = true;
    end.recovered = true;
    before_.runs.back().end = end;
    notice(fmt::format("{}: the last run has no end; it was killed, and is closed now", path_));
  }
}

void Journal::append(std::string_view lines, bool sync) {
  const off_t size = ::lseek(file_, 0, SEEK_END);
  size_t done = 0;
  bool failed = false;
  int error = 0;
  while (done < lines.size() && !failed) {
    const ssize_t n = ::write(file_, lines.data() + done, lines.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      failed = true;
      error = n < 0 ? errno : ENOSPC;
    } else {
      done += static_cast<size_t>(n);
    }
  }
  if (!failed && (!sync || ::fdatasync(file_) == 0)) return;
  if (!failed) error = errno;
  // Whole lines only: what was begun is taken back. If even that fails, the next start finds a cut line.
  if (size >= 0 && ::ftruncate(file_, size) != 0) error = errno;
  throw environment_error("{}: cannot write: {}", path_, std::strerror(error));
}

}  // namespace mlq::tune
