// The file that lets follow go on as if it had never been killed.
//
// Its first line is a journal record with the options that change decisions; then come requests and the
// replies to them, in turn, each pair by one write before the reply leaves. To resume is to answer all
// requests again: the replies must come out as they stand there.
#pragma once

#include <string>
#include <string_view>

#include "lib/simigrad/live/advisor.h"

namespace mlq::simigrad {

class StateFile {
 public:
  // Opens or begins the file, and locks it for this process; brings `advisor`, which must be fresh, to where
  // it ended. What a kill cut off at the end is taken off, and told to `notice`. A usage Error that names the
  // first option that differs; an input Error for a file that is no such journal, or whose replies do not
  // come out; environment Errors. `sync`: each pair is on disk before append() returns.
  StateFile(const std::string& path, std::string_view options, std::string_view version, bool sync,
            Advisor& advisor, const std::function<void(const std::string&)>& notice);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // `request` without line end, `reply` with it. An environment Error: nothing of it was kept.
  void append(std::string_view request, std::string_view reply);

 private:
  void write(std::string_view text);
  size_t replay(const std::string& text, std::string_view options, Advisor& advisor) const;

  std::string path_;
  bool sync_;
  int file_ = -1;
};

}  // namespace mlq::simigrad
