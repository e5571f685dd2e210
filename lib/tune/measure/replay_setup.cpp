#include "lib/tune/measure/replay_setup.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/base/error.h"
#include "lib/http/curl_engine.h"
#include "lib/replay/prepare.h"
#include "lib/replay/priority.h"

namespace mlq::tune {
namespace {

constexpr uint64_t kOtherDescriptors = 64;  // files, pipes, epoll
constexpr int64_t kWarmTimeout = 10'000'000'000;

// How many requests may be in flight, by what the system allows.
uint32_t most_inflight(const ReplaySetup& setup) {
  const uint64_t descriptors = replay::raise_descriptor_limit();
  const uint64_t most =
      descriptors > 2 * kOtherDescriptors ? descriptors - kOtherDescriptors : kOtherDescriptors;
  if (!setup.max_inflight) return static_cast<uint32_t>(std::min<uint64_t>(most, UINT32_MAX));
  const bool multiplexed = setup.client.version != http::Version::http1_1;
  if (!multiplexed && *setup.max_inflight > most) {
    throw environment_error("--max-inflight {}: this process may open {} descriptors; raise ulimit -n",
                            *setup.max_inflight, descriptors);
  }
  return std::max<uint32_t>(*setup.max_inflight, 1);
}

}  // namespace

std::unique_ptr<ReplaySource> make_replay_source(const ReplaySetup& setup, const Objective& objective,
                                                 records::Reader& trace, const Clock& clock,
                                                 const StopFlag& stop,
                                                 const std::function<void(const std::string&)>& notice) {
  LoadTrace load_trace(trace, setup.speed);
  if (!setup.dry) replay::check_server(setup.client, stop);
  replay::PreparedRequests prepared =
      replay::prepare_requests(setup.requests, setup.client, trace.runs(), setup.dry, notice);
  prepared.rules.gen_header = setup.gen_header;
  ReplayLoad load = setup.load;
  load.sending.max_inflight = most_inflight(setup);
  if (!load.own_cpu_ns) load.own_cpu_ns = replay::thread_cpu_ns;
  if (!load.pressure) load.pressure = [] { return cpu_pressure(); };

  const bool multiplexed = setup.client.version != http::Version::http1_1;
  const uint64_t conns =
      std::min<uint64_t>(setup.conns.value_or(multiplexed ? 1 : 64), load.sending.max_inflight);
  const std::string target = setup.warm_target.empty() ? prepared.form->warm_target() : setup.warm_target;
  const auto make_engine = [&](http::ClientEvents& events) {
    auto engine =
        std::make_unique<http::CurlEngine>(prepared.client, load.sending.max_inflight, clock, events);
    http::TransferEnd failure;
    if (!target.empty() && conns > 0 && !setup.dry) {
      const size_t opened = engine->open_connections(conns, target, clock.now_ns() + kWarmTimeout, failure);
      if (!failure.note.empty())
        notice(fmt::format("{} connections are open before the start; {}", opened, failure.note));
    }
    return engine;
  };
  return std::make_unique<ReplaySource>(load, objective, std::move(load_trace), std::move(prepared.form),
                                        std::move(prepared.rules), clock, make_engine);
}

}  // namespace mlq::tune
