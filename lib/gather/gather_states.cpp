// How a gather is left and taken up again.
#include <algorithm>
#include <cstring>

#include "lib/gather/gather_own.h"

namespace mlq::gather {

std::string Gather::chain() const {
  quant::ByteHash hash;
  hash.add(bytes_of_text(fmt::format("{} ranks={} ", fingerprint(options_.settings), comm_.size())));
  hash.add(lists_);
  return quant::hash_text(hash.digest());
}

std::optional<uint64_t> Gather::resume(const std::string& path) {
  std::optional<State> found[2];
  for (unsigned generation = 0; generation < 2; ++generation)
    if (const auto damage = failure_of([&] { found[generation] = read_state(state_path(path, generation)); }))
      options_.note(damage->what());
  NoteData note{};
  for (unsigned g = 0; g < 2; ++g) {
    put(note, 16 * g, uint64_t{found[g].has_value()});
    put(note, 16 * g + 8, found[g] ? found[g]->step : 0);
  }
  const auto notes = exchange_notes(comm_, note);
  const auto all_have = [&](uint64_t step) {
    return std::all_of(notes.begin(), notes.end(), [&](const NoteData& n) {
      return (take<uint64_t>(n, 0) != 0 && take<uint64_t>(n, 8) == step) ||
             (take<uint64_t>(n, 16) != 0 && take<uint64_t>(n, 24) == step);
    });
  };
  for (unsigned g = 0; g < 2; ++g)
    if (found[g] && all_have(found[g]->step) && (!state_ || found[g]->step > state_->step)) {
      state_ = std::move(found[g]);
      generation_ = 1 - g;
    }
  if (state_) return state_->step;
  if (options_.strict)
    throw AgreedError(input_error(
        "{}: not every rank has a state of one step; leave --strict out to begin with a key frame", path));
  say(fmt::format("{}: not every rank has a state of one step; begins with a key frame", path));
  key_reason_ = "no state";
  return std::nullopt;
}

namespace {

std::string residual_name(const std::string& tensor) { return tensor + ".mlq.residual"; }

const StateTensor* find(const State& state, const std::string& name) {
  for (const StateTensor& tensor : state.tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

}  // namespace

bool Gather::matches(const State& state) const {
  if (state.chain != chain()) return false;
  return std::all_of(own_->quantised.begin(), own_->quantised.end(), [&](const Own::Owned& owned) {
    const std::string& name = tensors_[owned.tensor].info.name;
    const StateTensor* const held = find(state, name);
    const StateTensor* const residual = find(state, residual_name(name));
    return held != nullptr && held->bytes.size() == owned.next.size() &&
           (owned.residual.empty() ||
            (residual != nullptr && residual->bytes.size() == owned.residual.size()));
  });
}

void Gather::load(const State& state) {
  for (Own::Owned& owned : own_->quantised) {
    const std::string& name = tensors_[owned.tensor].info.name;
    backend_.upload(held_at(owned.tensor, owned.share), find(state, name)->bytes);
    if (!owned.residual.empty())
      backend_.upload(owned.residual.data(), find(state, residual_name(name))->bytes);
  }
}

// Own parts of what is held become all of it, as they are; with them what is not quantised, where it was
// read.
void Gather::exchange_held(uint64_t step) {
  const Frame frame{step, false, true};
  const Packing packing = packing_of(comm_.rank(), frame);
  own_->header = make_header(options_.settings, frame, comm_.rank(), comm_.size());
  open_exchange(frame);
  std::byte* const payload = exchange_.mine() + sizeof(WireHeader);
  backend_.zero(payload, packing.payload_bytes);
  for (size_t i = 0; i < own_->quantised.size(); ++i) {
    const Own::Owned& owned = own_->quantised[i];
    backend_.copy(payload + packing.parts[i].codes, held_at(owned.tensor, owned.share), owned.next.size());
  }
  copy_plain(packing);
  put_header(packing);
  exchange_.sent_by([&] { exchange_.finish(); });
  StepReport unused;
  exchange_headers(frame, std::nullopt, unused);
  if (compare_payloads(frame))
    throw AgreedError(environment_error(
        "the states of the ranks arrived damaged; check memory and network, and start again"));
  apply(frame);
}

bool Gather::take_up_state() {
  const State state = std::move(*state_);
  state_.reset();
  NoteData note{};
  put(note, 0, uint64_t{matches(state)});
  bool all = true;
  for (const NoteData& n : exchange_notes(comm_, note)) all = all && take<uint64_t>(n, 0) != 0;
  if (all) {
    load(state);
    exchange_held(state.step);
    put(note, 0, uint64_t{hash_of_held(false) == state.hash});
    for (const NoteData& n : exchange_notes(comm_, note)) all = all && take<uint64_t>(n, 0) != 0;
  }
  if (!all) return false;
  key_reason_.clear();
  last_key_ = last_step_ = last_hash_ = state.step;
  return true;
}

void Gather::go_on_with_state() {
  const uint64_t step = state_->step;
  if (take_up_state()) return;
  if (options_.strict)
    throw AgreedError(
        input_error("the state of step {} is of other tensors, options or ranks; leave --strict out to begin "
                    "with a key frame",
                    step));
  say(fmt::format("the state of step {} is of other tensors, options or ranks; begins with a key frame",
                  step));
  key_reason_ = "no state";
}

void Gather::restore(const std::function<tensorfile::Source()>& open) {
  const uint64_t step = state_->step;
  std::optional<tensorfile::Source> source;
  ShardList own;
  const std::optional<Error> failure = failure_of([&] {
    source.emplace(open());
    own = list_of(*source);
  });
  agree_on_tensors(step, own, failure);
  exchange_notes(comm_, {}, read_weights(*source));
  if (!take_up_state())
    throw AgreedError(
        input_error("the state of step {} is of other tensors, options or ranks, and no step is left; leave "
                    "--resume out to begin anew",
                    step));
}

void Gather::save(const std::string& path) {
  State state;
  state.step = *last_step_;
  state.chain = chain();
  state.hash = hash_of_held(false);
  for (const Own::Owned& owned : own_->quantised) {
    const std::string& name = tensors_[owned.tensor].info.name;
    const auto bytes_at = [&](const std::byte* from, uint64_t bytes) {
      std::vector<std::byte> out(bytes);
      backend_.download(out, from);
      return out;
    };
    const tensorfile::Dtype dtype = options_.settings.state == Float::f32   ? tensorfile::Dtype::f32
                                    : options_.settings.state == Float::f16 ? tensorfile::Dtype::f16
                                                                            : tensorfile::Dtype::bf16;
    state.tensors.push_back({name, dtype, bytes_at(held_at(owned.tensor, owned.share), owned.next.size())});
    if (owned.residual.empty()) continue;
    const bool small = options_.settings.residual_type == ResidualType::int8;
    state.tensors.push_back({residual_name(name), small ? tensorfile::Dtype::u8 : tensorfile::Dtype::f32,
                             bytes_at(owned.residual.data(), owned.residual.size())});
  }
  write_state(state_path(path, generation_), state);
  generation_ = 1 - generation_;
}

}  // namespace mlq::gather
