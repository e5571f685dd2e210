// mlq-simigrad follow beside cat on the same pipes: time of a reply and requests a second; and on a plant
// whose noise scale is known, steps of the controller ratio to 90 % of its target over those of the published
// rule. usage: simigrad_bench [BIN_FOLDER] [REQUESTS]
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "lib/jsonl/buffer.h"
#include "lib/records/codec.h"
#include "lib/records/simigrad_schema.h"
#include "lib/simigrad/control/steering.h"
#include "lib/simigrad/synth/gram_law.h"
#include "tests/bench/bench.h"

namespace {

using namespace mlq;
using namespace mlq::simigrad;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A child with a pipe to its standard input and one from its standard output.
class Child {
 public:
  explicit Child(const std::vector<std::string>& argv) {
    int in[2], out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) throw std::runtime_error("no pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      ::dup2(out[1], 1);
      for (const int fd : {in[0], in[1], out[0], out[1]}) ::close(fd);
      std::vector<char*> words;
      for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
      words.push_back(nullptr);
      ::execvp(words[0], words.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
  }
  ~Child() {
    if (to_ >= 0) ::close(to_);
    ::close(from_);
    ::waitpid(pid_, nullptr, 0);
  }
  void send(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t n = ::write(to_, text.data(), text.size());
      if (n <= 0) throw std::runtime_error("the child has gone");
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  // How many line ends came with the next bytes; 0 at the end.
  size_t receive() {
    const ssize_t n = ::read(from_, buffer_.data(), buffer_.size());
    return n <= 0 ? 0 : static_cast<size_t>(std::count(buffer_.data(), buffer_.data() + n, '\n'));
  }
  void close_input() {
    ::close(to_);
    to_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1, from_ = -1;
  std::array<char, 1 << 16> buffer_;
};

std::vector<std::string> requests(size_t count) {
  GramLaw law;
  law.steps = count;
  std::vector<std::string> lines;
  for (size_t step = 0; step < count; ++step) {
    jsonl::Buffer line;
    records::write_record(line, draw_gram(law, step, 1));
    lines.emplace_back(line.view());
  }
  return lines;
}

// Microseconds from a request to its reply, one at a time: median and 99th percentile. `first`: lines that
// come unasked.
void round_trips(const std::string& name, const std::vector<std::string>& argv,
                 const std::vector<std::string>& lines, size_t first) {
  Child child(argv);
  std::vector<double> us;
  for (const std::string& line : lines) {
    const auto start = Clock::now();
    child.send(line);
    for (size_t seen = 0; seen < 1 + first;) seen += child.receive();
    first = 0;
    us.push_back(seconds_since(start) * 1e6);
  }
  std::sort(us.begin(), us.end());
  std::printf("{\"type\":\"bench\",\"name\":\"reply_%s\",\"requests\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
              name.c_str(), us.size(), us[us.size() / 2], us[us.size() * 99 / 100]);
}

// Requests a second that are answered when they come as fast as a pipe takes them.
double piped(const std::string& name, const std::vector<std::string>& argv,
             const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line;
  Child child(argv);
  const auto start = Clock::now();
  std::thread sender([&] {
    child.send(text);
    child.close_input();
  });
  size_t replies = 0;
  while (replies < lines.size()) {
    const size_t more = child.receive();
    if (more == 0) break;
    replies += more;
  }
  const double rate = static_cast<double>(lines.size()) / seconds_since(start);
  sender.join();
  std::printf("{\"type\":\"bench\",\"name\":\"piped_%s\",\"requests\":%zu,\"per_s\":%.0f}\n", name.c_str(),
              lines.size(), rate);
  return rate;
}

uint64_t steps_to_target(Controller controller, uint64_t groups, uint64_t d_eff, uint64_t seed) {
  ControlOptions options;
  options.controller = controller;
  options.target = Target::of_gamma(0.8);
  options.max = uint64_t{1} << 20;
  Steering steering(options);
  steering.start(128);
  GramLaw law;
  law.groups = groups;
  law.b_simple = 8192;
  law.d_eff = d_eff;
  for (uint64_t step = 0; step < 1000; ++step) {
    law.samples = std::max<uint64_t>(1, steering.now().batch / groups);
    records::Gram gram = draw_gram(law, step, seed);
    Observation o;
    static_cast<void>(observe(gram, {}, o));
    if (steering.decide(o).batch_samples >= 58'983) return step + 1;
  }
  return 1000;
}

void plant() {
  for (const uint64_t d_eff : {200u, 5000u}) {
    for (const uint64_t groups : {2u, 8u}) {
      std::vector<double> published, ratio;
      for (uint64_t seed = 0; seed < 101; ++seed) {
        published.push_back(static_cast<double>(steps_to_target(Controller::simigrad, 2, d_eff, seed)));
        ratio.push_back(static_cast<double>(steps_to_target(Controller::ratio, groups, d_eff, seed)));
      }
      const double a = bench::median(ratio), b = bench::median(published);
      std::printf(
          "{\"type\":\"bench\",\"name\":\"plant\",\"d_eff\":%llu,\"groups\":%llu,\"ratio_steps\":%.0f,"
          "\"simigrad_steps\":%.0f,\"ratio\":%.3f}\n",
          static_cast<unsigned long long>(d_eff), static_cast<unsigned long long>(groups), a, b, a / b);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string program = (argc > 1 ? std::string(argv[1]) : "build/release/bin") + "/mlq-simigrad";
  const size_t count = argc > 2 ? std::stoul(argv[2]) : 200'000;
  const std::vector<std::string> follow = {program, "follow", "--target", "0.8"};
  const auto lines = requests(count);
  const std::vector<std::string> few(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(count / 10));
  round_trips("cat", {"cat"}, few, 0);
  round_trips("follow", follow, few, 1);
  const double cat = piped("cat", {"cat"}, lines);
  const double ours = piped("follow", follow, lines);
  std::printf("{\"type\":\"bench\",\"name\":\"piped\",\"ratio\":%.3f}\n", ours / cat);
  plant();
  return 0;
}
