#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "http/exchange.h"

namespace towline::observability {

/// A program's metrics and its health, served as /metrics (Prometheus text), /liveness and /readiness.
/// Register before the first request; counting is safe from any thread, and so must be the functions that are
/// given.
class Observability : public http::RequestHandler {
 public:
  using Labels = std::map<std::string, std::string>;

  class Counter {
   public:
    virtual ~Counter() = default;
    virtual void add(double value = 1) = 0;
  };
  class Histogram {
   public:
    virtual ~Histogram() = default;
    virtual void observe(double value) = 0;
  };

  /// `ready` says whether a request could go through now, and if not why; `alive` whether the program can
  /// still mend that by itself, or should be started anew.
  static std::unique_ptr<Observability> create(std::function<Status()> ready, std::function<Status()> alive);

  /// Counters of one name share help and label names.
  virtual Counter& counter(const std::string& name, const std::string& help, const Labels& labels) = 0;
  virtual Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                               std::vector<double> bounds) = 0;
  /// `read` is called when the metrics are asked for.
  virtual void gauge(const std::string& name, const std::string& help, std::function<double()> read) = 0;

  /// Resident memory, open file descriptors and CPU time of this process, under Prometheus' usual names.
  void add_process_metrics();
};

}  // namespace towline::observability
