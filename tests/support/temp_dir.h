// A folder of its own for a test.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace mlq::test {

// Made under the system's folder for temporary files, removed with all that is in it.
class TempDir {
 public:
  TempDir() : TempDir(std::filesystem::temp_directory_path()) {}
  // Made under `parent`.
  explicit TempDir(const std::filesystem::path& parent);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  // Writes a file there and returns its path.
  std::string file(std::string_view name, std::string_view content) const;
  // Names of what is there, sorted, with spaces between: what a failed run must have left as it was.
  std::string listing() const;

 private:
  std::filesystem::path path_;
};

// A folder in memory, where there is one, else the system's for temporary files: for tests that would wait
// for the disk thousands of times, of programs that are killed and not of machines that are.
std::filesystem::path quick_folder();

// The bytes of a file; fails the test (by an exception) if it cannot be read.
std::string slurp(const std::filesystem::path& path);

}  // namespace mlq::test
