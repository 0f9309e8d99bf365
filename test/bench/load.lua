-- wrk -s load.lua URL [-- BODYFILE TYPE [ENCODING]]: GETs as a browser sends them, or one POST again and again; then the figures as JSON.

wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

function init(args)
  if not args[1] then
    wrk.headers["Referer"] = "http://www.example.com/some/page.html?x=1"
    wrk.headers["Cookie"] = "sid=0123456789abcdef0123456789abcdef; v=2"
    return
  end
  local file = assert(io.open(args[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  wrk.headers["Content-Type"] = args[2]
  if args[3] and args[3] ~= "" then wrk.headers["Content-Encoding"] = args[3] end
  file:close()
end

function done(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local line = '{"requests":%d,"seconds":%.6f,"refused":%d,"broken":%d,"cpu_s":%.3f,' ..
    '"p50_ms":%.3f,"p99_ms":%.3f,"p99_9_ms":%.3f,"max_ms":%.3f}\n'
  io.write(line:format(summary.requests, summary.duration / 1e6, errors.status, broken, os.clock(),
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3, latency.max / 1e3))
end
