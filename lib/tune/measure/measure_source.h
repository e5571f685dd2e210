// The `measure` object of an endpoint file: where windows of the traffic as it is come from.
//
//   {"source":"prometheus","url":"http://127.0.0.1:8002/metrics","latency":"nv_inference_request_duration_us",
//    "count":"nv_inference_request_success","labels":{"model":"digits"}}
//   {"source":"records","path":"-","labels":{"model":"digits"}}
//
//   source      prometheus, records; what is left out: prometheus where there is a url, records where a path
//   url         of the metrics                        latency  histogram, or counter of time, of requests
//   count       counter of requests that were served; without it the histogram's own
//   errors      counter of requests that failed       cpu      counter of CPU seconds of the process
//   inflight    gauge of requests in flight           labels   what series, or records, must have
//   gen_label   label that names the generation       unit     of `latency`: s ms us ns; by default by its
//                                                              name (_us, _ms, ..), else s
//   scrape      time from one look to the next, "1s"  headers  of the requests for metrics: ["Name: value"]
//   path        of records, - for standard input      follow   go on at the end of the file, true
//   gen_header  of answers to our own load: the generation that served them
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/stop.h"
#include "lib/http/client.h"
#include "lib/tune/measure/exposition.h"
#include "lib/tune/measure/objective.h"
#include "lib/tune/measure/source.h"

namespace mlq::tune {

struct MeasureSpec {
  enum class Source { none, prometheus, records } source = Source::none;
  std::string url;
  MetricQuery query;
  int64_t scrape_ns = 1'000'000'000;
  std::vector<std::string> headers;
  std::string path;
  bool follow = true;
  std::string gen_header;
};

// Pure. Input Errors begin with `where` and the key: an unknown key, with the nearest known one; a wrong
// value; one that the source has no use for; a source without its url, latency or path.
MeasureSpec parse_measure(std::string_view json, std::string_view where);

// The source; looks at the metrics once, opens the stream. `reveal` puts secrets in the place of their names,
// in url and headers. Errors: as parse_measure, PrometheusSource and Input; input if the object has no
// source. `clock` and `stop` must outlive it.
std::unique_ptr<WindowSource> make_measure_source(
    std::string_view json, std::string_view where, const Objective& objective, const Clock& clock,
    const std::function<std::string(const std::string&)>& reveal, const StopFlag& stop);

}  // namespace mlq::tune
