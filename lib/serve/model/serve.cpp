#include "lib/serve/model/serve.h"

#include "lib/base/clock.h"
#include "lib/records/serve_schema.h"

namespace mlq::serve::model {
namespace {

constexpr int64_t kTickNs = 20'000'000;
constexpr int64_t kWindowNs = 1'000'000'000;

records::RawJson json(const KnobValue& value) {
  jsonl::Buffer out;
  write_knob_value(value, out);
  return {std::string(out.view())};
}

class Session {
 public:
  Session(const ServeOptions& options, ModelMaker maker, records::Writer& writer, const StopFlag& stop)
      : options_(options),
        writer_(writer),
        stop_(stop),
        model_(reactor_, options.model, std::move(maker)),
        data_(reactor_, options.listen,
              [this](http::Request& request, const http::Reply& reply) { model_.handle(request, reply); }),
        admin_({"mlq-model", options.model.program_version, options.admin_token,
                options.admin && !options.admin->unix_path.empty()},
               {[this] { return std::vector<AdminModel*>{&model_}; }, [this] { return model_.metrics(); },
                [](const http::Request&, const std::string&, const http::Reply&) { return false; }}) {
    if (!options.admin) return;
    admin_server_.emplace(reactor_, *options.admin, [this](http::Request& request, const http::Reply& reply) {
      admin_.handle(request, reply);
    });
  }

  ServeOutcome run(records::Run run) {
    start_ns_ = window_ns_ = http::Reactor::now_ns();
    run.seed = options_.model.seed;
    run.url = data_.url();
    run.start_unix_ns = unix_now_ns();
    writer_.run(run);
    write_head();
    writer_.flush();
    model_.on_knob = [this](const KnobMove& move) { write_knob(move); };
    tick();
    reactor_.run();
    write_window();
    return {model_.requests() + model_.unanswered(), model_.good(), model_.unanswered()};
  }

 private:
  int64_t t_ns() const { return http::Reactor::now_ns() - start_ns_; }

  void write_head() {
    writer_.write(records::Listen{"data", data_.url()});
    if (admin_server_) writer_.write(records::Listen{"admin", admin_server_->url()});
    records::ServedModel model;
    model.model = options_.model.name;
    model.dialect = "v2";
    model.batchable = true;
    writer_.write(model);
    const auto values = model_.knob_values();
    const auto& defaults = model_.knobs().defaults();
    for (size_t k = 0; k < values.size(); ++k) {
      if (values[k] != defaults[k])
        write_knob({model_.gen(), model_.knobs().rows()[k].name, values[k], defaults[k], "start"});
    }
  }

  void write_knob(const KnobMove& move) {
    records::KnobChange record;
    record.t_ns = t_ns();
    record.model = options_.model.name;
    record.gen = move.gen;
    record.knob = move.name;
    record.value = json(move.value);
    record.value_before = json(move.before);
    record.by = move.by;
    writer_.write(record);
  }

  void write_window() {
    const int64_t now_ns = http::Reactor::now_ns();
    const auto window = model_.take_window(window_ns_ - start_ns_, std::max<int64_t>(now_ns - window_ns_, 1));
    window_ns_ = now_ns;
    if (!window) return;
    writer_.write(*window);
    writer_.flush();
  }

  void tick() {
    const int64_t now_ns = http::Reactor::now_ns();
    if (!ending_ && (stop_ || (options_.duration_ns > 0 && now_ns - start_ns_ >= options_.duration_ns))) {
      ending_ = true;
      model_.drain();
      return reactor_.stop(options_.drain_timeout_ns);
    }
    if (now_ns - window_ns_ >= kWindowNs) write_window();
    reactor_.call_at(now_ns + kTickNs, [this] { tick(); });
  }

  const ServeOptions& options_;
  records::Writer& writer_;
  const StopFlag& stop_;
  http::Reactor reactor_;
  ModelServer model_;
  http::Server data_;
  Admin admin_;
  std::optional<http::Server> admin_server_;
  int64_t start_ns_ = 0;
  int64_t window_ns_ = 0;  // start of the present window
  bool ending_ = false;
};

}  // namespace

ServeOutcome serve_model(const ServeOptions& options, ModelMaker maker, records::Run run,
                         records::Writer& writer, const StopFlag& stop) {
  writer.keep_interrupted();  // a signal is how a server ends
  ServeOutcome outcome;
  {
    Session session(options, std::move(maker), writer, stop);
    outcome = session.run(std::move(run));
  }
  records::End end;
  end.requests = outcome.requests;
  end.good = outcome.good;
  end.lost_requests = outcome.lost;
  if (stop) end.interrupted = true;
  writer.end(end);
  return outcome;
}

}  // namespace mlq::serve::model
