// What a folder is read as once a model was written into it: the new model, all of it and nothing else,
// whatever was there before; or nothing was written.
#include "lib/patch/model_files.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "lib/patch/hashing.h"
#include "tests/patch/models.h"

namespace mlq::patch::test {
namespace {

namespace fs = std::filesystem;
using mlq::test::slurp;
using mlq::test::TempDir;

constexpr const char* kIndex = "model.safetensors.index.json";

// Files of a model: its tensors p, q, r, each in one of them, and whether an index says so.
struct Form {
  const char* name;
  std::vector<std::string> files;
  const char* index = nullptr;
};
const Form kForms[] = {
    {"one", {"model.safetensors"}},
    {"one of another name", {"step7.safetensors"}},
    {"one with an index", {"model-00001-of-00001.safetensors"}, kIndex},
    {"two", {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}, kIndex},
    {"three",
     {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
      "model-00003-of-00003.safetensors"},
     kIndex},
    {"two without an index", {"a.safetensors", "b.safetensors"}},
    {"two with an index of another name", {"x.safetensors", "y.safetensors"}, "x.safetensors.index.json"}};

class Folders : public testing::Test {
 protected:
  void write(const std::string& folder, const Form& form, char value) const {
    fs::create_directories(folder);
    const std::string names = "pqr";
    std::map<std::string, std::vector<TestTensor>> files;
    std::string map;
    for (size_t i = 0; i < names.size(); ++i) {
      const std::string file = form.files[std::min(i, form.files.size() - 1)], name(1, names[i]);
      files[file].push_back(raw_tensor(name, Dtype::u8, {64}, std::string(64, value)));
      map += (map.empty() ? "\"" : ",\"") + name + "\":\"" + file + "\"";
    }
    for (const auto& [file, tensors] : files) write_model(folder + "/" + file, tensors);
    if (form.index != nullptr)
      tmp_.file(folder.substr((tmp_ / "").size()) + "/" + form.index, "{\"weight_map\":{" + map + "}}");
  }
  static std::string hash(const std::string& path) {
    const tensorfile::Source source = tensorfile::open_source(path);
    return quant::hash_text(hash_tensors(SourceModel(source), threads(1))->model.digest());
  }
  static std::string listing(const std::string& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
    std::ranges::sort(names);
    std::string text;
    for (const std::string& name : names) text += name + " ";
    return text;
  }
  TempDir tmp_{mlq::test::quick_folder()};
};

TEST_F(Folders, InTheirOwnPlaceHoldTheNewModelAndWhatWasOfNoModel) {
  for (const Form& from : kForms) {
    if (from.index != nullptr && from.index != std::string(kIndex))
      continue;  // not what the folder is read by
    for (const Form& to : kForms) {
      const std::string folder = tmp_ / "model", next = tmp_ / "next";
      fs::remove_all(folder);
      fs::remove_all(next);
      write(folder, from, 'a');
      write(next, to, 'b');
      const std::string expected = hash(next), what = std::string(from.name) + " to " + to.name;
      const std::string path = to.index == nullptr ? next : next + "/" + to.index;
      diff_files(folder, path, tmp_ / "d");
      tmp_.file("model/tokenizer.json", "mine");
      tmp_.file("next/tokenizer.json", "");
      apply_files(folder, {tmp_ / "d"}, folder);
      EXPECT_EQ(hash(folder), expected) << what;
      EXPECT_EQ(listing(folder), listing(next)) << what;
      EXPECT_EQ(slurp(folder + "/tokenizer.json"), "mine") << what;
      EXPECT_FALSE(fs::exists(folder + ".part")) << what;
    }
  }
}

TEST_F(Folders, OfTheStateInTheBasesPlaceHoldTheNewState) {
  write(tmp_ / "held", kForms[4], 'a');
  write(tmp_ / "next", kForms[3], 'b');
  DiffOptions options;
  options.lossy.emplace();
  options.lossy->next_base = tmp_ / "held";
  diff_files(tmp_ / "held", tmp_ / "next", tmp_ / "d", options);
  EXPECT_EQ(hash(tmp_ / "held"), hash(tmp_ / "next")) << "integers go without loss";
  EXPECT_EQ(listing(tmp_ / "held"), listing(tmp_ / "next"));
}

TEST_F(Folders, ThatWouldBeReadAsAnotherModelAreRefused) {
  write(tmp_ / "base", kForms[0], 'a');
  const auto refused = [&](const Form& there, const Form& next, const std::string& why) {
    fs::remove_all(tmp_ / "out");
    fs::remove_all(tmp_ / "next");
    write(tmp_ / "out", there, 'x');
    write(tmp_ / "next", next, 'b');
    const std::string before = listing(tmp_ / "out");
    diff_files(tmp_ / "base", next.index == nullptr ? tmp_ / "next" : (tmp_ / "next/") + next.index,
               tmp_ / "d");
    EXPECT_EQ(
        error_of([&] { apply_files(tmp_ / "base", {tmp_ / "d"}, tmp_ / "out"); }),
        "2: -o: " + (tmp_ / "out/") + why +
            " is there, of another model, and loaders could take it for this one or a part of it; remove "
            "it or write to another folder");
    EXPECT_EQ(listing(tmp_ / "out"), before);
    EXPECT_FALSE(fs::exists(tmp_ / "out.part"));
  };
  refused(kForms[3], kForms[0], kIndex);
  refused(kForms[3], kForms[1], kIndex);
  refused(kForms[3], kForms[5], kIndex);
  refused(kForms[0], kForms[1], "model.safetensors");
  refused(kForms[0], kForms[3], "model.safetensors");
}

TEST_F(Folders, WithFoldersInThemAreRefusedBeforeTheWork) {
  write(tmp_ / "base", kForms[3], 'a');
  write(tmp_ / "next", kForms[4], 'b');
  fs::create_directories(tmp_ / "base/onnx");
  const tensorfile::Source next = tensorfile::open_source(tmp_ / "next");
  const tensorfile::Source source = tensorfile::open_source(tmp_ / "base");
  const SourceModel base(source);
  const Layout layout = layout_of(next);
  EXPECT_EQ(error_of([&] { ModelFiles({.out = tmp_ / "base", .base = &base}, layout); }),
            "4: " + (tmp_ / "base/onnx") + ": is no regular file, and " + (tmp_ / "base") +
                " would be replaced; write to a new folder");
  EXPECT_FALSE(fs::exists(tmp_ / "base.part"));
}

TEST_F(Folders, AreNotReplacedInPart) {
  // A base by an index of another name than the folder's; the result is one file that is named like a shard.
  write(tmp_ / "base", kForms[6], 'a');
  write_model(tmp_ / "x.safetensors", {raw_tensor("p", Dtype::u8, {1}, "p")});
  const std::string base = (tmp_ / "base/") + kForms[6].index;
  diff_files(base, tmp_ / "x.safetensors", tmp_ / "d");
  EXPECT_EQ(error_of([&] { apply_files(base, {tmp_ / "d"}, tmp_ / "base"); }),
            "2: -o: " + (tmp_ / "base") +
                "/x.safetensors is a file of the input, and would be replaced; write to another folder");
  // A name that no loader looks for.
  write(tmp_ / "folder", kForms[0], 'a');
  write_model(tmp_ / "weights", {raw_tensor("p", Dtype::u8, {1}, "p")});
  diff_files(tmp_ / "folder", tmp_ / "weights", tmp_ / "d");
  EXPECT_EQ(error_of([&] { apply_files(tmp_ / "folder", {tmp_ / "d"}, tmp_ / "folder"); }),
            "2: -o: the model is to be a file \"weights\", which no loader would look for in a folder; name "
            "a file");
  EXPECT_EQ(listing(tmp_ / "folder"), "model.safetensors ");
}

}  // namespace
}  // namespace mlq::patch::test
