// A thread that runs a model: one batch at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/stop.h"
#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// A batch on its way through an instance.
struct Work {
  uint64_t batch = 0;  // the scheduler's number
  std::vector<uint64_t> tokens;
  std::vector<double> values;
  size_t rows = 0;
  Conditions conditions;
  int64_t latency_ns = 0;
  Answer answer;
};

class Instance {
 public:
  using Make = std::function<std::shared_ptr<Model>()>;  // may throw an Error
  using Done = std::function<void(std::shared_ptr<Work>)>;

  // `make` is called on the instance's thread, and again before a batch if it failed; `first`, if it is not
  // null, spares the first call. `done` is called on the instance's thread, once for each batch.
  Instance(std::shared_ptr<Model> first, Make make, Done done);
  // Gives up the batch under way: one that waits ends at once, one that computes is waited for.
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // The instance must be idle: start() belongs to one thread, which learns by `done` that a batch has ended.
  void start(std::shared_ptr<Work> work);

 private:
  void run();
  void answer(Work& work, class RowPool& pool);

  std::shared_ptr<Model> model_;
  const Make make_;
  const Done done_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Work> next_;
  bool ended_ = false;
  StopFlag give_up_;
  std::thread thread_;
};

}  // namespace mlq::serve::model
