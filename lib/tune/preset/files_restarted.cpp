// Servers that are started anew with other settings.
#include "lib/tune/preset/files.h"

namespace mlq::tune::preset_files {

const std::string_view tfs = R"json({"version":1,"name":"tfs",
 "start":{"max_batch_size":32,"batch_timeout_micros":1000,"num_batch_threads":4,"max_enqueued_batches":64},
 "load":{"url":"$BASE/v1/models/$MODEL:predict"},
 "knobs":{
  "max_batch_size":{"type":"log_int","min":1,"max":256,"apply":"restart","role":"batch"},
  "batch_timeout_micros":{"type":"list","values":[0,100,200,500,1000,2000,5000],"apply":"restart","when":"max_batch_size > 1"},
  "num_batch_threads":{"type":"int","min":1,"max":"max(4, $cores)","apply":"restart"},
  "max_enqueued_batches":{"type":"log_int","min":16,"max":1024,"apply":"restart"}},
 "actuator":{"type":"file","path":"batching.txt","vars":{"BASE":"http://127.0.0.1:8501","MODEL":"digits"},"timeout":"120s","settle":"2s","warmup_requests":20,
  "template":"max_batch_size { value: ${max_batch_size} }\nbatch_timeout_micros { value: ${batch_timeout_micros} }\nnum_batch_threads { value: ${num_batch_threads} }\nmax_enqueued_batches { value: ${max_enqueued_batches} }\n",
  "reload":{"exec":["systemctl","restart","tensorflow-serving"]},
  "verify":"none",
  "ready":{"url":"$BASE/v1/models/$MODEL","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"$BASE/monitoring/prometheus/metrics","latency":":tensorflow:serving:request_latency","unit":"us","labels":{"model_name":"$MODEL"}}}
)json";

const std::string_view vllm = R"json({"version":1,"name":"vllm",
 "start":{"max_num_seqs":256,"max_num_batched_tokens":2048,"gpu_memory_utilization":0.9},
 "load":{"url":"http://127.0.0.1:$PORT/v1/completions"},
 "knobs":{
  "max_num_seqs":{"type":"log_int","min":8,"max":1024,"apply":"restart","role":"batch"},
  "max_num_batched_tokens":{"type":"log_int","min":512,"max":32768,"apply":"restart"},
  "gpu_memory_utilization":{"type":"list","values":[0.8,0.85,0.9,0.95],"apply":"restart"}},
 "constraints":["max_num_batched_tokens >= max_num_seqs"],
 "actuator":{"type":"exec","vars":{"PORT":"8000","MODEL":"meta-llama/Llama-3.1-8B-Instruct"},"timeout":"600s","settle":"5s","warmup_requests":20,
  "start":["vllm","serve","$MODEL","--port","$PORT","--max-num-seqs","${max_num_seqs}","--max-num-batched-tokens","${max_num_batched_tokens}","--gpu-memory-utilization","${gpu_memory_utilization}"],
  "grace":"30s","log":"vllm.log",
  "ready":{"url":"http://127.0.0.1:$PORT/health","expect":[200],"timeout":"600s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:$PORT/metrics","latency":"vllm:e2e_request_latency_seconds","inflight":"vllm:num_requests_running"}}
)json";

const std::string_view sglang = R"json({"version":1,"name":"sglang",
 "start":{"max_running_requests":256,"chunked_prefill_size":8192,"schedule_conservativeness":1.0,"mem_fraction_static":0.85,"schedule_policy":"fcfs"},
 "load":{"url":"http://127.0.0.1:$PORT/v1/completions"},
 "knobs":{
  "max_running_requests":{"type":"log_int","min":8,"max":1024,"apply":"restart","role":"batch"},
  "chunked_prefill_size":{"type":"log_int","min":1024,"max":16384,"apply":"restart"},
  "schedule_conservativeness":{"type":"list","values":[0.3,0.5,0.7,1.0,1.3],"apply":"restart"},
  "mem_fraction_static":{"type":"list","values":[0.75,0.8,0.85,0.9],"apply":"restart"},
  "schedule_policy":{"type":"list","values":["fcfs","lpm"],"apply":"restart"}},
 "actuator":{"type":"exec","vars":{"PORT":"30000","MODEL":"meta-llama/Llama-3.1-8B-Instruct"},"timeout":"600s","settle":"5s","warmup_requests":20,
  "start":["python3","-m","sglang.launch_server","--model-path","$MODEL","--port","$PORT","--enable-metrics","--max-running-requests","${max_running_requests}","--chunked-prefill-size","${chunked_prefill_size}","--schedule-conservativeness","${schedule_conservativeness}","--mem-fraction-static","${mem_fraction_static}","--schedule-policy","${schedule_policy}"],
  "grace":"30s","log":"sglang.log",
  "ready":{"url":"http://127.0.0.1:$PORT/health","expect":[200],"timeout":"600s"},
  "verify":{"url":"http://127.0.0.1:$PORT/get_server_info","equals":{"/max_running_requests":"${max_running_requests}","/chunked_prefill_size":"${chunked_prefill_size}","/schedule_policy":"${schedule_policy}"}}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:$PORT/metrics","latency":"sglang:e2e_request_latency_seconds","inflight":"sglang:num_running_reqs"}}
)json";

const std::string_view mosec = R"json({"version":1,"name":"mosec",
 "start":{"workers":1,"max_batch_size":8,"max_wait_time":10,"capacity":1024},
 "load":{"url":"http://127.0.0.1:$PORT/inference"},
 "knobs":{
  "workers":{"type":"int","min":1,"max":"max(4, $cores)","apply":"restart"},
  "max_batch_size":{"type":"log_int","min":1,"max":128,"apply":"restart","role":"batch"},
  "max_wait_time":{"type":"list","values":[1,2,5,10,20,50],"apply":"restart","when":"max_batch_size > 1","doc":"milliseconds"},
  "capacity":{"type":"log_int","min":128,"max":8192,"apply":"restart"}},
 "actuator":{"type":"exec","vars":{"PORT":"8000"},"timeout":"120s","settle":"2s","warmup_requests":20,
  "start":["python3","server.py","--address","127.0.0.1","--port","$PORT","--capacity","${capacity}"],
  "env":{"WORKERS":"${workers}","MAX_BATCH_SIZE":"${max_batch_size}","MAX_WAIT_TIME":"${max_wait_time}"},
  "grace":"10s","log":"mosec.log",
  "ready":{"url":"http://127.0.0.1:$PORT/","expect":[200],"timeout":"120s"}},
 "measure":{"source":"prometheus","url":"http://127.0.0.1:$PORT/metrics","latency":"mosec_service_process_duration_second","labels":{"stage":"total"}}}
)json";

const std::string_view llamacpp = R"json({"version":1,"name":"llamacpp",
 "start":{"parallel":4,"batch":2048,"ubatch":512,"threads":4,"threads_batch":4},
 "load":{"url":"http://127.0.0.1:$PORT/v1/completions"},
 "knobs":{
  "parallel":{"type":"int","min":1,"max":16,"apply":"restart","role":"batch"},
  "batch":{"type":"log_int","min":256,"max":4096,"apply":"restart"},
  "ubatch":{"type":"log_int","min":64,"max":2048,"apply":"restart"},
  "threads":{"type":"int","min":1,"max":"max(4, $cores)","apply":"restart"},
  "threads_batch":{"type":"int","min":1,"max":"max(4, $cores)","apply":"restart"}},
 "constraints":["ubatch <= batch"],
 "actuator":{"type":"exec","vars":{"PORT":"8080","MODEL":"model.gguf"},"timeout":"300s","settle":"2s","warmup_requests":5,
  "start":["llama-server","-m","$MODEL","--port","$PORT","-np","${parallel}","-b","${batch}","-ub","${ubatch}","-t","${threads}","-tb","${threads_batch}"],
  "grace":"10s","log":"llama-server.log",
  "ready":{"url":"http://127.0.0.1:$PORT/health","expect":[200],"timeout":"300s"},
  "verify":{"url":"http://127.0.0.1:$PORT/props","equals":{"/total_slots":"${parallel}"}}}}
)json";

const std::string_view exec = R"json({"version":1,"name":"server",
 "start":{"threads":1,"batch":1},
 "load":{"url":"http://127.0.0.1:$PORT/"},
 "knobs":{
  "threads":{"type":"int","min":1,"max":"$cores","apply":"restart"},
  "batch":{"type":"log_int","min":1,"max":64,"apply":"restart","role":"batch"}},
 "actuator":{"type":"exec","vars":{"PORT":"8000"},"timeout":"60s","settle":"1s",
  "start":["./server","--port","$PORT","--threads","${threads}","--batch","${batch}"],
  "grace":"10s","log":"server.log",
  "ready":{"url":"http://127.0.0.1:$PORT/","expect":[200],"timeout":"60s"}}}
)json";

}  // namespace mlq::tune::preset_files
