// Servers whose settings change while they run.
#include "lib/tune/preset/files.h"

namespace mlq::tune::preset_files {

const std::string_view mlq = R"json({"version":1,"name":"mlq","start":"live",
 "load":{"url":"$BASE/v2/models/$MODEL/infer"},
 "knobs":{
  "instances":{"type":"int","min":1,"max":"$cores","apply":"hot"},
  "intra_threads":{"type":"int","min":1,"max":"$cores","apply":"hot"},
  "max_rows":{"type":"log_int","min":1,"max":256,"apply":"hot","role":"batch"},
  "delay_ns":{"type":"list","values":[0,100000,200000,500000,1000000,2000000,5000000],"apply":"hot","when":"max_rows > 1"}},
 "constraints":["instances * intra_threads <= 2 * $cores"],
 "actuator":{"type":"http","vars":{"BASE":"http://127.0.0.1:8000","ADMIN":"http://127.0.0.1:8001","MODEL":"digits"},
  "steps":[{"send":{"method":"PATCH","url":"$ADMIN/admin/v1/models/$MODEL/knobs","expect":[200],
   "json":{"instances":"${instances}","intra_threads":"${intra_threads}","max_rows":"${max_rows}","delay_ns":"${delay_ns}"}}}],
  "verify":{"url":"$ADMIN/admin/v1/models/$MODEL/knobs",
   "equals":{"/knobs/instances":"${instances}","/knobs/intra_threads":"${intra_threads}","/knobs/max_rows":"${max_rows}","/knobs/delay_ns":"${delay_ns}"}},
  "ready":{"url":"$BASE/v2/health/ready","expect":[200],"timeout":"30s"}},
 "measure":{"source":"prometheus","url":"$ADMIN/metrics","latency":"mlq_model_request_seconds","labels":{"model":"$MODEL"}}}
)json";

const std::string_view triton = R"json({"version":1,"name":"triton","start":"live",
 "load":{"url":"$BASE/v2/models/$MODEL/infer"},
 "knobs":{
  "max_batch_size":{"type":"log_int","min":1,"max":128,"apply":"reload","role":"batch"},
  "max_queue_delay_microseconds":{"type":"list","values":[0,100,200,500,1000,2000,5000],"apply":"reload","when":"max_batch_size > 1"},
  "instance_count":{"type":"int","min":1,"max":8,"apply":"reload"},
  "intra_op_thread_count":{"type":"int","min":1,"max":"$cores","apply":"reload","doc":"ONNX Runtime backend"},
  "inter_op_thread_count":{"type":"list","values":[1,2,4],"apply":"reload","doc":"ONNX Runtime backend"},
  "preferred_batch_size":{"type":"derived","expr":"max(1, floor(max_batch_size / 2))"}},
 "constraints":["instance_count * intra_op_thread_count <= 2 * $cores"],
 "actuator":{"type":"http","vars":{"BASE":"http://127.0.0.1:8000","MODEL":"digits"},"settle":"2s","warmup_requests":20,
  "steps":[{"read":{"method":"GET","url":"$BASE/v2/models/$MODEL/config","as":"cfg"}},
   {"patch":"cfg","set":{"/max_batch_size":"${max_batch_size}","/instance_group/0/count":"${instance_count}",
     "/dynamic_batching/max_queue_delay_microseconds":"${max_queue_delay_microseconds}",
     "/dynamic_batching/preferred_batch_size/0":"${preferred_batch_size}",
     "/parameters/intra_op_thread_count/string_value":"${intra_op_thread_count|str}",
     "/parameters/inter_op_thread_count/string_value":"${inter_op_thread_count|str}"}},
   {"send":{"method":"POST","url":"$BASE/v2/repository/models/$MODEL/load","json":{"parameters":{"config":"${cfg|json_string}"}},"expect":[200],"timeout":"60s"}}],
  "verify":{"url":"$BASE/v2/models/$MODEL/config","equals":{"/max_batch_size":"${max_batch_size}","/instance_group/0/count":"${instance_count}",
    "/parameters/intra_op_thread_count/string_value":"${intra_op_thread_count|str}"}},
  "ready":{"url":"$BASE/v2/models/$MODEL/ready","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:8002/metrics","latency":"nv_inference_request_duration_us","count":"nv_inference_request_success","errors":"nv_inference_request_failure","labels":{"model":"$MODEL"}}}
)json";

const std::string_view torchserve = R"json({"version":1,"name":"torchserve","start":"live",
 "load":{"url":"$BASE/predictions/$MODEL"},
 "knobs":{
  "workers":{"type":"int","min":1,"max":8,"apply":"reload"},
  "batch_size":{"type":"log_int","min":1,"max":64,"apply":"reload","role":"batch"},
  "max_batch_delay":{"type":"list","values":[1,2,5,10,20,50,100],"apply":"reload","when":"batch_size > 1"}},
 "actuator":{"type":"http","vars":{"BASE":"http://127.0.0.1:8080","ADMIN":"http://127.0.0.1:8081","MODEL":"digits","ARCHIVE":"digits.mar"},
  "timeout":"120s","settle":"2s","warmup_requests":20,
  "steps":[{"send":{"method":"DELETE","url":"$ADMIN/models/$MODEL","expect":[200,404]}},
   {"send":{"method":"POST","expect":[200],"timeout":"120s","url":"$ADMIN/models?url=$ARCHIVE&model_name=$MODEL&batch_size=${batch_size}&max_batch_delay=${max_batch_delay}&initial_workers=${workers}&synchronous=true"}}],
  "verify":{"url":"$ADMIN/models/$MODEL","equals":{"/0/minWorkers":"${workers}","/0/batchSize":"${batch_size}","/0/maxBatchDelay":"${max_batch_delay}"}},
  "ready":{"url":"$BASE/ping","expect":[200],"timeout":"60s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:8082/metrics","latency":"ts_inference_latency_microseconds","count":"ts_inference_requests_total","labels":{"model_name":"$MODEL"}}}
)json";

const std::string_view ovms = R"json({"version":1,"name":"ovms","start":"live",
 "load":{"url":"$BASE/v2/models/$MODEL/infer"},
 "knobs":{
  "nireq":{"type":"int","min":1,"max":32,"apply":"reload"},
  "num_streams":{"type":"int","min":1,"max":"$cores","apply":"reload"},
  "inference_num_threads":{"type":"int","min":1,"max":"$cores","apply":"reload"}},
 "constraints":["num_streams <= inference_num_threads","num_streams <= nireq"],
 "actuator":{"type":"file","path":"config.json","vars":{"BASE":"http://127.0.0.1:8000","MODEL":"digits"},"settle":"2s","warmup_requests":20,
  "patch":{"/model_config_list/0/config/nireq":"${nireq}",
   "/model_config_list/0/config/plugin_config/NUM_STREAMS":"${num_streams|str}",
   "/model_config_list/0/config/plugin_config/INFERENCE_NUM_THREADS":"${inference_num_threads|str}"},
  "reload":{"send":{"method":"POST","url":"$BASE/v1/config/reload","expect":[200,201],"timeout":"60s"}},
  "verify":[{"url":"$BASE/metrics","metric":"ovms_streams","labels":{"name":"$MODEL"},"equals":"${num_streams}"},
   {"url":"$BASE/metrics","metric":"ovms_infer_req_queue_size","labels":{"name":"$MODEL"},"equals":"${nireq}"}],
  "ready":{"url":"$BASE/v2/models/$MODEL/ready","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"$BASE/metrics","latency":"ovms_request_time_us","errors":"ovms_requests_fail","labels":{"name":"$MODEL"}}}
)json";

const std::string_view ray = R"json({"version":1,"name":"ray","start":"live",
 "load":{"url":"$BASE/"},
 "knobs":{
  "num_replicas":{"type":"int","min":1,"max":8,"apply":"hot"},
  "max_ongoing_requests":{"type":"log_int","min":1,"max":256,"apply":"hot"},
  "max_batch_size":{"type":"log_int","min":1,"max":128,"apply":"hot","role":"batch"},
  "batch_wait_timeout_s":{"type":"list","values":[0.0,0.001,0.002,0.005,0.01,0.02,0.05],"apply":"hot","when":"max_batch_size > 1"}},
 "constraints":["max_batch_size <= max_ongoing_requests"],
 "actuator":{"type":"http","vars":{"BASE":"http://127.0.0.1:8000","ADMIN":"http://127.0.0.1:8265"},"settle":"10s","warmup_requests":20,
  "steps":[{"send":{"method":"PUT","url":"$ADMIN/api/serve/applications/","expect":[200],"timeout":"60s",
   "json":{"applications":[{"name":"app","route_prefix":"/","import_path":"app:app",
    "deployments":[{"name":"Model","num_replicas":"${num_replicas}","max_ongoing_requests":"${max_ongoing_requests}",
     "user_config":{"max_batch_size":"${max_batch_size}","batch_wait_timeout_s":"${batch_wait_timeout_s}"}}]}]}}}],
  "verify":{"url":"$ADMIN/api/serve/applications/","equals":{
   "/applications/app/deployments/Model/deployment_config/num_replicas":"${num_replicas}",
   "/applications/app/deployments/Model/deployment_config/max_ongoing_requests":"${max_ongoing_requests}",
   "/applications/app/deployments/Model/deployment_config/user_config/max_batch_size":"${max_batch_size}",
   "/applications/app/deployments/Model/deployment_config/user_config/batch_wait_timeout_s":"${batch_wait_timeout_s}"}},
  "ready":{"url":"$BASE/-/healthz","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:8080/metrics","latency":"ray_serve_http_request_latency_ms","labels":{"application":"app"}}}
)json";

const std::string_view mlserver = R"json({"version":1,"name":"mlserver",
 "start":{"max_batch_size":1,"max_batch_time":0.01},
 "load":{"url":"$BASE/v2/models/$MODEL/infer"},
 "knobs":{
  "max_batch_size":{"type":"log_int","min":1,"max":128,"apply":"reload","role":"batch"},
  "max_batch_time":{"type":"list","values":[0.001,0.002,0.005,0.01,0.02,0.05],"apply":"reload","when":"max_batch_size > 1","doc":"seconds"}},
 "actuator":{"type":"file","path":"model-settings.json","vars":{"BASE":"http://127.0.0.1:8080","MODEL":"digits"},"settle":"1s","warmup_requests":20,
  "patch":{"/max_batch_size":"${max_batch_size}","/max_batch_time":"${max_batch_time}"},
  "reload":{"send":{"method":"POST","url":"$BASE/v2/repository/models/$MODEL/load","expect":[200],"timeout":"60s"}},
  "verify":"none",
  "ready":{"url":"$BASE/v2/models/$MODEL/ready","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:8082/metrics","latency":"rest_server_request_duration_seconds","labels":{"path":"/v2/models/{model_name}/infer","status_code":"200"}}}
)json";

}  // namespace mlq::tune::preset_files
