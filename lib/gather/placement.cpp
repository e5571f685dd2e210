#include "lib/gather/placement.h"

#include <unistd.h>

#include <cstring>

#include "lib/device/asked.h"
#include "lib/gather/consent.h"
#include "lib/quant/tree_hash.h"
#include "lib/ranks/nccl_ranks.h"

namespace mlq::gather {
namespace {

// What ranks tell each other of the places they have.
struct Told {
  uint64_t transport = 0, cuda = 0;
  quant::Digest machine{};
  char device[48] = {};  // its UUID, text
};
static_assert(sizeof(Told) <= kNoteBytes);

std::vector<Told> exchange(ranks::Comm& comm, const Told& mine, const std::optional<Error>& failure = {}) {
  NoteData note{};
  put(note, 0, mine);
  std::vector<Told> all;
  for (const NoteData& n : exchange_notes(comm, note, failure)) all.push_back(take<Told>(n, 0));
  return all;
}

quant::Digest machine_digest() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return quant::digest_of(std::as_bytes(std::span(name)));
}

// Ranks of this machine that compute on devices and have lower numbers.
unsigned number_on_machine(unsigned rank, const std::vector<Told>& all) {
  unsigned number = 0;
  for (unsigned r = 0; r < rank; ++r) number += all[r].cuda != 0 && all[r].machine == all[rank].machine;
  return number;
}

// Whether NCCL is to carry payloads; an Error if it cannot.
bool nccl_carries(const std::vector<Told>& all) {
  for (unsigned rank = 0; rank < all.size(); ++rank)
    if (all[rank].transport != all[0].transport)
      throw usage_error("rank {} was given another --transport than rank 0; start all ranks with the same",
                        rank);
  const auto wanted = static_cast<Transport>(all[0].transport);
  if (wanted == Transport::mpi) return false;
  for (unsigned rank = 0; rank < all.size(); ++rank) {
    if (all[rank].cuda != 0) continue;
    if (wanted == Transport::automatic) return false;
    throw usage_error(
        "--transport nccl: rank {} computes on its CPU; give all ranks --device cuda, or --transport mpi",
        rank);
  }
  for (unsigned rank = 1; rank < all.size(); ++rank)
    for (unsigned other = 0; other < rank; ++other)
      if (std::strcmp(all[rank].device, all[other].device) == 0)
        throw usage_error(
            "ranks {} and {} have one GPU ({}), and NCCL wants one for each: start a rank a GPU, or give "
            "--transport mpi",
            other, rank, all[rank].device);
  return true;
}

// The only rank's bytes, from the device to the device.
class Alone final : public ranks::Comm {
 public:
  explicit Alone(DeviceBackend& backend) : backend_(backend) {}
  unsigned rank() const override { return 0; }
  unsigned size() const override { return 1; }
  std::string_view transport() const override { return "none"; }
  void start(std::span<const std::byte> mine, std::byte* all, uint64_t) override {
    backend_.copy(all, mine.data(), mine.size());
  }
  void progress() override {}
  void finish() override { backend_.finish(); }
  void barrier() override {}

 private:
  DeviceBackend& backend_;
};

std::unique_ptr<ranks::Comm> connect(ranks::Comm& comm, const DeviceBackend& backend,
                                     const PlacementOptions& options) {
  std::optional<ranks::Nccl> nccl;
  ranks::NcclId mine{};
  const auto not_loaded = failure_of([&] {
    nccl = ranks::Nccl::load(options.nccl_library);
    if (comm.rank() == 0) mine = ranks::new_nccl_id(*nccl);
  });
  exchange_notes(comm, {}, not_loaded);
  std::vector<ranks::NcclId> ids(comm.size());
  comm.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(ids)));
  std::unique_ptr<ranks::Comm> wire;
  const auto not_started = failure_of([&] {
    wire = ranks::nccl_ranks(*nccl, ids[0], comm, backend.device(), backend.stream(), options.timeout_ns,
                             options.late);
  });
  try {
    exchange_notes(comm, {}, not_started);
  } catch (const AgreedError&) {
    throw;
  } catch (const Error&) {  // the others may still wait for NCCL when this rank has waited for them
    if (not_started) throw *not_started;
    throw;
  }
  return wire;
}

}  // namespace

Placement place_ranks(ranks::Comm& comm, const PlacementOptions& options) {
  Told mine{static_cast<uint64_t>(options.transport), options.cuda, machine_digest(), {}};
  std::vector<Told> all = exchange(comm, mine);
  Placement place;
  const auto no_device = failure_of([&] {
    if (!options.cuda) return;
    const auto number = number_on_machine(comm.rank(), all);
    place.backend = std::make_unique<DeviceBackend>(device::open_asked(number));
    const std::string& uuid = place.backend->device().info().uuid;
    uuid.copy(mine.device, sizeof mine.device - 1);
  });
  all = exchange(comm, mine, no_device);
  const bool nccl = agreed([&] { return nccl_carries(all); });
  if (comm.size() == 1) {
    if (place.backend) place.wire = std::make_unique<Alone>(*place.backend);
  } else if (nccl) {
    place.wire = connect(comm, *place.backend, options);
  }
  return place;
}

}  // namespace mlq::gather
