// A model in a child process: what crashes there is one batch, not the server.
//
// Parent and child talk over a socket pair: a header of fixed size, then raw doubles. Both are the same
// program, so layouts are equal.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "lib/serve/model/load.h"
#include "lib/serve/model/model.h"

namespace mlq::serve::model {

// One thread at a time. A child that dies answers its batch with an error; it is started again 0.1 s x 2^k
// later (k: its deaths without an answer in between; at most 10 s), and the next batch waits for that.
class IsolatedModel final : public Model {
 public:
  // Starts `program --instance` and hands it the source. Errors as load_model, and an environment Error if
  // the process cannot be started, or dies over the source.
  IsolatedModel(ModelInfo info, std::shared_ptr<const ModelSource> source, std::string program);
  ~IsolatedModel() override;  // ends the child

  Answer predict(const Rows& rows, const Conditions& conditions, RowPool& pool,
                 const StopFlag* give_up) override;

 private:
  void start();
  void stop();  // kills the child, if there is one
  bool wait_for_restart(const StopFlag* give_up) const;
  void bury(int64_t now_ns);

  const std::shared_ptr<const ModelSource> source_;
  const std::string program_;
  pid_t child_ = -1;
  int socket_ = -1;
  int deaths_ = 0;
  int64_t restart_ns_ = 0;
};

// The child: answers batches that come over the socket until it is closed. To be called at the start of main
// by `program --instance`; returns the exit status.
int run_instance();

}  // namespace mlq::serve::model
