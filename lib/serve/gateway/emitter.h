// The records of a server on their way to standard output. The request path never waits for the reader: what
// finds the buffer full is dropped and counted, and a `lost` record follows.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "lib/jsonl/buffer.h"
#include "lib/records/arrival.h"
#include "lib/records/serve.h"
#include "lib/records/writer.h"

namespace mlq::serve {

// Which records are wanted: --emit.
struct EmitChoice {
  bool state = true;  // listen, model, replica, knob, controller, fault, lost
  bool window = true;
  bool arrival = false;
  double request = 0, batch = 0;  // shares
  bool operator==(const EmitChoice&) const = default;
};
// `state,window,request:1%,batch,arrival`. A usage Error.
EmitChoice parse_emit(std::string_view text);
std::string emit_text(const EmitChoice& choice);

// emit() may be called from any thread.
class Emitter {
 public:
  static constexpr size_t kMostRecords = 65536;

  // `writer` is used by the emitter's own thread alone until stop().
  Emitter(records::Writer& writer, const EmitChoice& choice);
  ~Emitter();

  const EmitChoice& choice() const { return choice_; }
  void emit(const records::Listen& record);
  void emit(const records::ServedModel& record);
  void emit(const records::Replica& record);
  void emit(const records::KnobChange& record);
  void emit(const records::ControllerChange& record);
  void emit(const records::ServeFault& record);
  void emit(const records::ServeWindow& record);
  void emit(const records::ServedBatch& record);
  void emit(const records::ServedRequest& record);
  void emit(const records::Arrival& record);

  // Waits until everything so far has gone out.
  void flush();
  // The same, and ends the thread; nothing is taken afterwards. To be called once; throws nothing.
  void stop();
  uint64_t lost() const;
  // What stopped the writing, if anything.
  std::exception_ptr failure() const;

  // Lines as they are written, in pieces of whole lines, for a reader over HTTP. Called from the emitter's
  // thread; false ends it.
  using Listener = std::function<bool(std::string_view lines)>;
  void listen(Listener listener);

 private:
  // Lines of one kind, so that the writer can keep the hash of a trace.
  struct Piece {
    jsonl::Buffer text;
    uint64_t count = 0;
    bool arrivals = false;
    int64_t last_t_ns = 0;
  };
  template <class T>
  void add(bool wanted, const T& record);
  void run();
  void write(std::vector<Piece>& pieces);

  records::Writer& writer_;
  const EmitChoice choice_;
  const int64_t start_ns_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, written_;
  std::vector<Piece> pieces_;
  uint64_t held_ = 0;        // records in pieces_
  uint64_t unreported_ = 0;  // lost, not yet in a record
  uint64_t lost_ = 0;
  bool writing_ = false, stopping_ = false;
  std::vector<Listener> listeners_;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace mlq::serve
