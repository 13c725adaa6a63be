#include "modules/observability/observability.h"

#include <dirent.h>
#include <fstream>
#include <mutex>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "http/simple.h"

namespace towline::observability {
namespace {

// Gauges whose value is asked for when metrics are read.
class Gauges final : public prometheus::Collectable {
 public:
  void add(const std::string& name, const std::string& help, std::function<double()> read) {
    const std::lock_guard lock(mutex_);
    gauges_.push_back({name, help, std::move(read)});
  }
  std::vector<prometheus::MetricFamily> Collect() const override {
    const std::lock_guard lock(mutex_);
    std::vector<prometheus::MetricFamily> families;
    for (const Gauge& gauge : gauges_) {
      prometheus::ClientMetric metric;
      metric.gauge.value = gauge.read();
      families.push_back({gauge.name, gauge.help, prometheus::MetricType::Gauge, {std::move(metric)}});
    }
    return families;
  }

 private:
  struct Gauge {
    std::string name;
    std::string help;
    std::function<double()> read;
  };
  mutable std::mutex mutex_;
  std::vector<Gauge> gauges_;
};

class CounterImpl final : public Observability::Counter {
 public:
  explicit CounterImpl(prometheus::Counter& counter) : counter_(counter) {}
  void add(double value) override { counter_.Increment(value); }

 private:
  prometheus::Counter& counter_;
};

class HistogramImpl final : public Observability::Histogram {
 public:
  explicit HistogramImpl(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

class ObservabilityImpl final : public Observability {
 public:
  ObservabilityImpl(std::function<Status()> ready, std::function<Status()> alive)
      : ready_(std::move(ready)), alive_(std::move(alive)) {}

  Counter& counter(const std::string& name, const std::string& help, const Labels& labels) override {
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
    counters_.push_back(std::make_unique<CounterImpl>(family.Add(labels)));
    return *counters_.back();
  }
  Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                       std::vector<double> bounds) override {
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
    histograms_.push_back(std::make_unique<HistogramImpl>(family.Add(labels, std::move(bounds))));
    return *histograms_.back();
  }
  void gauge(const std::string& name, const std::string& help, std::function<double()> read) override {
    gauges_.add(name, help, std::move(read));
  }

  void on_request(http::RequestHead head, bool, std::unique_ptr<http::ServerExchange> exchange) override {
    http::send(*exchange, answer(head.path()));
  }

 private:
  http::Response answer(std::string_view path) {
    if (path == "/liveness") return health(alive_(), "alive");
    if (path == "/readiness") return health(ready_(), "ready");
    if (path != "/metrics") return http::json_message(404, "there are /metrics, /liveness and /readiness");
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    for (prometheus::MetricFamily& each : gauges_.Collect()) families.push_back(std::move(each));
    http::Response response;
    response.headers.add("content-type", "text/plain; version=0.0.4; charset=utf-8");
    response.body = prometheus::TextSerializer().Serialize(families);
    return response;
  }

  static http::Response health(const Status& status, std::string_view word) {
    return status.ok() ? http::json_message(200, word) : http::json_message(503, status.message());
  }

  std::function<Status()> ready_;
  std::function<Status()> alive_;
  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
  Gauges gauges_;
  std::vector<std::unique_ptr<Counter>> counters_;
  std::vector<std::unique_ptr<Histogram>> histograms_;
};

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  long total = 0;
  long resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -3;  // ".", ".." and this directory's own
  while (readdir(directory) != nullptr) ++count;
  closedir(directory);
  return count;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::unique_ptr<Observability> Observability::create(std::function<Status()> ready,
                                                     std::function<Status()> alive) {
  return std::make_unique<ObservabilityImpl>(std::move(ready), std::move(alive));
}

void Observability::add_process_metrics() {
  gauge("process_resident_memory_bytes", "Resident memory size in bytes.", resident_bytes);
  gauge("process_open_fds", "Number of open file descriptors.", open_descriptors);
  gauge("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", cpu_seconds);
}

}  // namespace towline::observability
