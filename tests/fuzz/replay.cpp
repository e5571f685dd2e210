// main() of a fuzz target in a build without libFuzzer: runs all files of the folders given, then a fixed
// number of mutations of them, the same ones every time. An input that breaks the target is left in
// crash-NAME. usage: fuzz_NAME FOLDER...
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr int kMutations = 20'000;
constexpr size_t kLargest = 1 << 16;

std::string crash_file;
std::string current;

void keep_current(int signal) {
  const int fd = ::open(crash_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ssize_t ignored = ::write(fd, current.data(), current.size());
  ignored = ::write(2, crash_file.data(), crash_file.size());
  ignored = ::write(2, " holds the input that broke the target\n", 39);
  static_cast<void>(ignored);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void run(std::string input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(current.data()), current.size());
}

// Changes samples into others that are nearly right, which is where parsers break.
class Mutator {
 public:
  explicit Mutator(const std::vector<std::string>& samples) : samples_(samples) {}

  std::string next() {
    std::string text = pick();
    for (size_t changes = 1 + random_() % 4; changes > 0; --changes) change(text);
    if (text.size() > kLargest) text.resize(kLargest);
    return text;
  }

 private:
  const std::string& pick() { return samples_[random_() % samples_.size()]; }
  size_t place(const std::string& text) { return random_() % (text.size() + 1); }

  void change(std::string& text) {
    static const std::vector<std::string> awkward = {"-",
                                                     "0",
                                                     "9223372036854775808",
                                                     "1e999",
                                                     "-1",
                                                     "nan",
                                                     "\"",
                                                     "\\u0000",
                                                     "\xff",
                                                     std::string(1, '\0'),
                                                     "\n",
                                                     "\r\n",
                                                     "{",
                                                     "[[[[[[[[",
                                                     ",",
                                                     ":",
                                                     "1.5",
                                                     "18446744073709551616",
                                                     " ",
                                                     "\t",
                                                     "\\",
                                                     "%",
                                                     "()",
                                                     "\xEF\xBB\xBF"};
    const size_t at = place(text);
    const size_t length = random_() % 16;
    switch (random_() % 7) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random_());
        break;
      case 1:
        text.erase(at, length);
        break;
      case 2:
        text.insert(at, text.substr(place(text), length));
        break;
      case 3:
        text.insert(at, awkward[random_() % awkward.size()]);
        break;
      case 4:
        text.resize(at);
        break;
      case 5: {
        const std::string& other = pick();
        text = text.substr(0, at) + other.substr(place(other));
        break;
      }
      default:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random_() % 8));
    }
  }

  const std::vector<std::string>& samples_;
  std::mt19937_64 random_{1};
};

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

int main(int argc, char** argv) {
  crash_file = "crash-" + std::filesystem::path(argv[0]).filename().string();
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(signal, keep_current);
  std::vector<std::string> samples;
  for (int i = 1; i < argc; ++i) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) samples.push_back(contents(file));
  }
  if (samples.empty()) {
    std::fprintf(stderr, "%s: no samples; name the folders that hold them\n", argv[0]);
    return 2;
  }
  run("");
  for (const std::string& sample : samples) run(sample);
  Mutator mutator(samples);
  for (int i = 0; i < kMutations; ++i) run(mutator.next());
  std::printf("%zu samples and %d mutations of them\n", samples.size(), kMutations);
  return 0;
}
