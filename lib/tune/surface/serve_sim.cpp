#include "lib/tune/surface/serve_sim.h"

#include <utility>

#include "lib/base/clock.h"
#include "lib/records/serve_schema.h"

namespace mlq::tune {
namespace {

constexpr int64_t kGraceNs = 1'000'000'000;

records::RawJson json(const KnobValue& value) {
  jsonl::Buffer out;
  serve::write_knob_value(value, out);
  return {std::string(out.view())};
}

void write_change(const Space& space, int64_t t_ns, uint64_t gen, PointId before, PointId now,
                  const std::string& by, records::Writer& writer) {
  for (size_t k = 0; k < space.dims(); ++k) {
    if (same_value(space.value(before, k), space.value(now, k))) continue;
    records::KnobChange record;
    record.t_ns = t_ns;
    record.model = "sim";
    record.gen = gen;
    record.knob = space.axes()[k].name;
    record.value = json(space.value(now, k));
    record.value_before = json(space.value(before, k));
    record.by = by;
    writer.write(record);
  }
  writer.flush();
}

}  // namespace

ServeSimOutcome serve_sim(SimServerOptions options, const http::ServerOptions& listen, int64_t duration_ns,
                          records::Run run, records::Writer& writer, const StopFlag& stop) {
  writer.keep_interrupted();  // a signal is how a server ends
  ServeSimOutcome outcome;
  {
    const Space& space = *options.preset.preset->space;
    http::Reactor reactor;
    SimServer sim(reactor, std::move(options));
    http::Server server(reactor, listen, [&](http::Request& request, const http::Reply& reply) {
      sim.handle(request, reply);
    });
    const int64_t start_ns = http::Reactor::now_ns();
    run.url = server.url();
    run.start_unix_ns = unix_now_ns();
    writer.run(run);
    writer.write(records::Listen{"data", server.url()});
    writer.write(records::Listen{"admin", server.url()});
    writer.flush();
    sim.on_change = [&](uint64_t gen, PointId before, PointId now, const std::string& by) {
      write_change(space, http::Reactor::now_ns() - start_ns, gen, before, now, by, writer);
    };
    if (duration_ns > 0) reactor.call_at(start_ns + duration_ns, [&] { reactor.stop(kGraceNs); });
    reactor.run(&stop);
    outcome = {sim.requests(), sim.good(), sim.crashed()};
  }
  records::End end;
  end.requests = outcome.requests;
  end.good = outcome.good;
  if (stop) end.interrupted = true;
  writer.end(end);
  return outcome;
}

}  // namespace mlq::tune
