// Gathers the weights that ranks own, step after step, so that each rank holds all of them, in few bits.
//
// A step: ranks compare settings, lists of tensors and what goes wrong with them (all stop with one message);
// each encodes what it owns, and sends it while it does; headers and errors go round; each rank checks what
// it has received against the headers' hashes before it applies anything. What is damaged is sent again as a
// key frame. From time to time hashes of what is held are compared.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/gather/backend.h"
#include "lib/gather/consent.h"
#include "lib/gather/exchange.h"
#include "lib/gather/joint.h"
#include "lib/gather/settings.h"
#include "lib/gather/state_file.h"
#include "lib/gather/wire.h"
#include "lib/quant/selection.h"
#include "lib/ranks/comm.h"
#include "lib/tensorfile/source.h"

namespace mlq::gather {

struct GatherOptions {
  Settings settings;
  Joining joining = Joining::joined;
  ShardList like;  // of Joining::flat
  quant::Selection selection;
  uint64_t key_every = 1000;  // steps from one key frame to the next at most; 0: no bound
  double rekey_above = 0.02;  // a step with a larger relative error is sent as a key frame
  uint64_t hash_every = 100;  // steps from one comparison of hashes to the next; 0: only where asked for
  bool strict = false;        // an error where resuming would have to begin anew
  uint64_t wire_piece = kWirePiece;  // bytes that are sent at a time
  // Where this rank computes; nothing: in host memory, on so many threads.
  Backend* backend = nullptr;
  unsigned threads = 1;
  // Carries payloads in the backend's memory, between the same ranks; nothing: what carries all else does.
  ranks::Comm* wire = nullptr;
  // What people should know; what all ranks see is said by rank 0 alone.
  std::function<void(const std::string&)> note = [](const std::string&) {};
};

struct StepReport {
  uint64_t step = 0;
  uint64_t elems = 0;                                 // of all tensors
  uint64_t wire_bytes = 0;                            // of the all-gather, all ranks together
  uint64_t bf16_bytes = 0;                            // of the same with quantised tensors as bf16
  int64_t encode_ns = 0, comm_ns = 0, decode_ns = 0;  // sending goes on while encoding
  bool key = false;
  std::string rekey_reason;  // start, every, error, payload, hash, shapes, no state; empty if no key frame
  double rel_rmse = 0;       // of the quantised tensors of all ranks
  std::string state_hash;    // where hashes were compared
  unsigned sent = 0;         // times that the payload was sent
};

// Collective: all ranks call the same functions in the same order. Not thread-safe. An Error ends it for all
// ranks: that of opening and reading, or input for what was read, of any rank; input for options that differ;
// environment for lost ranks and for a payload that is damaged twice running; bug where hashes differ twice
// running. What all ranks find out together is an AgreedError (consent.h).
class Gather {
 public:
  // Keeps references. A usage Error if the settings do not go together.
  Gather(ranks::Comm& comm, GatherOptions options, const Clock& clock);
  ~Gather();

  // Looks for states that an earlier gather left at state_path(path, 0 and 1) and returns the step of the
  // last that all ranks have; the next step goes on with it. Nothing (and the next step is a key frame) where
  // there is none; with strict an input Error.
  std::optional<uint64_t> resume(const std::string& path);
  // Where that was the last step: holds what was held after it, without another one. `open` opens this rank's
  // tensors of that step, since a state has nothing of those that are not quantised. An input Error if the
  // state is of other tensors, options or ranks.
  void restore(const std::function<tensorfile::Source()>& open);

  // `open` opens this rank's own tensors of that step; steps rise. `compare`: hashes are compared whatever
  // hash_every says.
  StepReport step(uint64_t step, const std::function<tensorfile::Source()>& open, bool compare);

  // After a step: the tensors, and of each what all ranks hold: of a quantised one values of settings.state,
  // of others its own bytes, in host memory until the next call.
  const std::vector<JointTensor>& tensors() const { return tensors_; }
  std::span<const std::byte> held(size_t tensor);
  // By names, types and values of what is held.
  std::string state_hash();
  // What this rank needs to go on after the last step. Writes the generation that is older.
  void save(const std::string& path);

 private:
  struct Own;
  void agree_on_tensors(uint64_t step, const ShardList& own, const std::optional<Error>& failure);
  void adopt_tensors(std::vector<JointTensor> tensors, std::vector<std::byte> lists);
  bool take_up_state();
  void go_on_with_state();
  bool matches(const State& state) const;
  void load(const State& state);
  void exchange_held(uint64_t step);
  std::optional<Error> read_weights(const tensorfile::Source& source);
  std::vector<OwnPart> own_parts();
  Error nonfinite_error(size_t part) const;
  std::optional<Error> encode(const Frame& frame);
  void exchange_headers(const Frame& frame, const std::optional<Error>& failure, StepReport& report);
  bool arrived_whole(unsigned rank, const Frame& frame);
  uint64_t stride_of(const Frame& frame) const;
  void open_exchange(const Frame& frame);
  void copy_plain(const Packing& packing);
  void put_header(const Packing& packing);
  std::optional<Error> encode_and_send(const Frame& frame, StepReport& report);
  // Whose payload arrived damaged at some rank.
  std::optional<unsigned> compare_payloads(const Frame& frame);
  void apply(const Frame& frame);
  void send(const Frame& first, StepReport& report);
  void say(const std::string& message);  // once for all ranks
  void swap_residuals();
  std::string hash_of_held(bool plain_too);
  bool hashes_agree(StepReport& report);
  std::string chain() const;
  Packing packing_of(unsigned rank, const Frame& frame) const;
  std::byte* held_at(size_t tensor, const Share& share);
  template <class Work>
  void timed(int64_t& total, const Work& work);

  ranks::Comm& comm_;
  GatherOptions options_;
  const Clock& clock_;
  quant::Selector selector_;
  HostBackend host_;
  Backend& backend_;
  Exchange exchange_;
  std::vector<std::byte> lists_;  // of all ranks, as they were last exchanged
  std::vector<JointTensor> tensors_;
  std::vector<Memory> held_;                  // by tensor
  std::vector<std::byte> held_copy_;          // of one, where the CPU cannot read them
  std::vector<std::vector<Part>> parts_;      // quantised parts by rank, in the order of the tensors
  std::vector<std::vector<uint64_t>> plain_;  // bytes of the others by rank
  std::unique_ptr<Own> own_;
  std::vector<WireHeader> headers_;   // by rank, of the step that is under way
  std::optional<State> state_;        // to go on with, until the next step
  std::string key_reason_ = "start";  // why the next frame is a key frame; empty: it need not be
  std::optional<uint64_t> last_step_, last_key_, last_hash_;
  unsigned generation_ = 0;
};

}  // namespace mlq::gather
