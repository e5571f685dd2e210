// Trains a small perceptron on pictures of digits by plain SGD, until the loss over all pictures is small
// enough.
//
// With --gradients FOLDER it leaves the gradients of the two halves of each batch there, says so on standard
// output, a request a step, and takes batch size and learning rate of the next step from standard input: the
// two ends of `mlq-simigrad follow`. Without it batch and rate stay as they are. Progress goes to --log, what
// came out to standard error; exit status 1 if the loss was not reached within --epochs.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "examples/13-adaptive-batch/perceptron.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/base/units.h"
#include "lib/records/reader.h"
#include "lib/records/simigrad_schema.h"

namespace {

struct Options {
  std::string pictures, gradients, log;
  uint64_t seed = 1, batch = 16, epochs = 150;
  double rate = 0.4, loss = 0.02;
  bool independent = false;
};

constexpr const char* kUsage =
    "usage: digits_trainer --data FILE.npy [--seed N] [--batch B] [--lr RATE] [--loss GOAL] [--epochs MOST]\n"
    "                      [--draws shuffled|independent] [--gradients FOLDER] [--log FILE]";

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc) throw mlq::Error(mlq::ExitKind::usage, kUsage);
    const std::string value = argv[i + 1];
    if (name == "--data")
      o.pictures = value;
    else if (name == "--gradients")
      o.gradients = value;
    else if (name == "--log")
      o.log = value;
    else if (name == "--seed")
      o.seed = mlq::parse_count(value);
    else if (name == "--batch")
      o.batch = mlq::parse_count(value);
    else if (name == "--epochs")
      o.epochs = mlq::parse_count(value);
    else if (name == "--lr")
      o.rate = mlq::parse_double(value);
    else if (name == "--loss")
      o.loss = mlq::parse_double(value);
    else if (name == "--draws" && (value == "shuffled" || value == "independent"))
      o.independent = value == "independent";
    else
      throw mlq::Error(mlq::ExitKind::usage, kUsage);
  }
  if (o.pictures.empty() || o.batch < 1 || !(o.rate > 0)) throw mlq::Error(mlq::ExitKind::usage, kUsage);
  return o;
}

// Pictures by chance: each alone, or all of them in an order of chance before one comes again.
class Draws {
 public:
  Draws(uint64_t seed, size_t pictures, bool independent)
      : random_(seed, mlq::Purpose::policy), order_(pictures), independent_(independent) {}

  void take(size_t count, std::vector<uint32_t>& out) {
    for (out.clear(); out.size() < count; ++next_) {
      if (independent_) {
        out.push_back(index(random_.uniform(next_), order_.size()));
        continue;
      }
      if (next_ % order_.size() == 0) shuffle(next_ / order_.size());
      out.push_back(order_[next_ % order_.size()]);
    }
  }

 private:
  static uint32_t index(double uniform, size_t count) {
    return static_cast<uint32_t>(uniform * static_cast<double>(count));
  }
  void shuffle(uint64_t epoch) {
    std::iota(order_.begin(), order_.end(), 0u);
    for (size_t left = order_.size(); left > 1; --left)
      std::swap(order_[left - 1], order_[index(random_.uniform(left, static_cast<uint32_t>(epoch)), left)]);
  }
  mlq::RandomStream random_;
  std::vector<uint32_t> order_;
  bool independent_;
  uint64_t next_ = 0;
};

// A safetensors file: the length of a JSON header, the header, the numbers.
void write_gradient(const std::string& path, const digits::Parameters& gradient, uint64_t step, int group,
                    size_t samples) {
  std::string header = fmt::format(
      R"({{"__metadata__":{{"mlq.step":"{}","mlq.group":"{}","mlq.groups":"2","mlq.samples":"{}"}})", step,
      group, samples);
  for (const digits::Tensor& t : digits::kTensors)
    header += fmt::format(R"(,"{}":{{"dtype":"F32","shape":[{}{}],"data_offsets":[{},{}]}})", t.name,
                          t.shape[0], t.shape[1] == 0 ? "" : fmt::format(",{}", t.shape[1]), 4 * t.offset,
                          4 * (t.offset + t.size()));
  header += "}";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const uint64_t length = header.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << header;
  file.write(reinterpret_cast<const char*>(gradient.data()),
             static_cast<std::streamsize>(4 * gradient.size()));
  if (!file.flush()) throw mlq::Error(mlq::ExitKind::environment, path + ": cannot be written");
}

// The other end of `mlq-simigrad follow`.
class Adviser {
 public:
  struct Advice {
    uint64_t batch;
    double rate_factor;
  };

  explicit Adviser(const Options& options) : folder_(options.gradients) {
    say(fmt::format(R"({{"type":"hello","protocol":1,"world":1,"micro_samples":1,"batch_samples":{}}})",
                    options.batch));
    replies_.emplace("-", mlq::records::ReaderOptions{});
    listen("hello");
    advice_ = {replies_->as<mlq::records::Hello>().batch_samples, 1};
  }

  Advice first() const { return advice_; }

  // What follows from the gradients of the two halves of a step.
  Advice ask(uint64_t step, const digits::Parameters (&halves)[2], const size_t (&samples)[2]) {
    for (int group : {0, 1})
      write_gradient(fmt::format("{}/group{}.safetensors", folder_, group), halves[group], step, group,
                     samples[group]);
    say(fmt::format(R"({{"type":"dump","step":{},"path":"{}"}})", step, folder_));
    listen("batch_size");
    const auto reply = replies_->as<mlq::records::BatchSize>();
    return advice_ = {reply.batch_samples, reply.lr_scale};
  }

 private:
  void say(const std::string& line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }
  void listen(std::string_view wanted) {
    if (!replies_->next())
      throw mlq::Error(mlq::ExitKind::environment, "digits_trainer: the adviser has gone");
    if (replies_->type() != wanted)
      throw mlq::Error(mlq::ExitKind::input,
                       fmt::format("digits_trainer: the adviser said: {}", replies_->text()));
  }

  std::string folder_;
  std::optional<mlq::records::Reader> replies_;
  Advice advice_{};
};

struct Outcome {
  uint64_t steps = 0, samples = 0;
  double loss = 0;
  bool reached = false;
};

// The loss over all is looked at after each 64 samples, or each step if that is more.
Outcome train(const Options& o, std::FILE* log) {
  const std::vector<digits::Picture> pictures = digits::read_pictures(o.pictures);
  digits::Parameters weights = digits::initial(o.seed);
  Draws draws(o.seed, pictures.size(), o.independent);
  std::optional<Adviser> adviser;
  Adviser::Advice now{o.batch, 1};
  if (!o.gradients.empty()) now = adviser.emplace(o).first();

  Outcome out;
  digits::Parameters halves[2];
  std::vector<uint32_t> batch;
  for (uint64_t looked_at = 0; out.samples < o.epochs * pictures.size();) {
    draws.take(now.batch, batch);
    const size_t samples[2] = {(batch.size() + 1) / 2, batch.size() / 2};
    const std::span all(batch);
    digits::mean_gradient(weights, pictures, all.first(samples[0]), halves[0]);
    if (samples[1] > 0) digits::mean_gradient(weights, pictures, all.last(samples[1]), halves[1]);
    const float rate = static_cast<float>(o.rate * now.rate_factor / static_cast<double>(batch.size()));
    for (size_t i = 0; i < weights.size(); ++i)
      weights[i] -= rate * (static_cast<float>(samples[0]) * halves[0][i] +
                            (samples[1] > 0 ? static_cast<float>(samples[1]) * halves[1][i] : 0.0f));
    out.samples += batch.size();
    const uint64_t step = out.steps++;
    if (adviser) now = adviser->ask(step, halves, samples);
    if (out.samples < looked_at + 64) continue;
    looked_at = out.samples;
    out.loss = digits::loss(weights, pictures);
    out.reached = out.loss <= o.loss;
    if (log != nullptr)
      fmt::print(
          log,
          R"({{"type":"digits","steps":{},"samples":{},"batch_samples":{},"loss":{:.6g},"reached":{}}})"
          "\n",
          out.steps, out.samples, batch.size(), out.loss, out.reached);
    if (out.reached) break;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options options = parse(argc, argv);
  std::FILE* log = options.log.empty() ? nullptr : std::fopen(options.log.c_str(), "w");
  if (log == nullptr && !options.log.empty())
    throw mlq::Error(mlq::ExitKind::environment, options.log + ": cannot be written");
  const Outcome out = train(options, log);
  if (log != nullptr && std::fclose(log) != 0)
    throw mlq::Error(mlq::ExitKind::environment, options.log + ": cannot be written");
  fmt::print(stderr, "{} {:.4f} after {} steps, {} samples, {:.1f} a step\n",
             out.reached ? "loss" : "only a loss of", out.loss, out.steps, out.samples,
             static_cast<double>(out.samples) / static_cast<double>(out.steps));
  return out.reached ? 0 : 1;
} catch (const mlq::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.kind());
}
