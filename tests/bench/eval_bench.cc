// A large environment from its text to JSON: 1,000 keys from 50 imports, half of which the
// importing environment writes anew, so that 1,500 are read and evaluated. Keys are what people
// write: text, numbers, references into the own values and into the imports, secrets, lists, calls.
// Prints a Markdown table.

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "esc/eval/environment_json.h"
#include "esc/eval/evaluator.h"
#include "esc/json_writer.h"
#include "tests/bench/table.h"

namespace escagent::testing {
namespace {

constexpr int kImports = 50;
constexpr int kKeysOfImport = 20;
constexpr int kRuns = 60;
constexpr double kLimitMs = 20;

class MapLoader final : public eval::EnvironmentLoader {
 public:
  void Add(const std::string& name, std::string text) { texts_[name] = std::move(text); }
  Result<Secret> Load(std::string_view name) override {
    const auto at = texts_.find(std::string(name));
    if (at == texts_.end()) return NotFound("no such environment");
    return Secret(std::string_view(at->second));
  }

 private:
  std::map<std::string, std::string> texts_;
};

// The value of key `i` of service `service`.
std::string ValueOf(int service, int i) {
  const std::string number = std::to_string(i);
  switch (i % 10) {
    case 0:
      return "https://service-" + number + ".example.com/api/v1";
    case 1:
      return number;
    case 2:
      return "{fn::secret: 0123456789abcdef" + number + "}";
    case 3:
      return "postgres://${service" + std::to_string(service) + ".key" + std::to_string(i - 3) +
             "}:5432/${shared.name}";
    case 4:
      return "\"${service" + std::to_string(service) + ".key" + std::to_string(i - 2) + "}\"";
    case 5:
      return "[one, two, three]";
    case 6:
      return "{host: localhost, port: 8080}";
    case 7:
      return "{fn::toJSON: \"${service" + std::to_string(service) + ".key" + std::to_string(i - 1) +
             "}\"}";
    case 8:
      return "true";
    default:
      return "{fn::join: [\",\", [a, \"${shared.name}\"]]}";
  }
}

std::string Service(int service, int first, int count) {
  std::string text = "  service" + std::to_string(service) + ":\n";
  for (int i = first; i < first + count; ++i) {
    text += "    key" + std::to_string(i) + ": " + ValueOf(service, i) + "\n";
  }
  return text;
}

// The keys of services 0 to 49: 20 of each in its import, of which the root has the upper 10, too.
std::string Definition(MapLoader& loader) {
  std::string imports = "imports:\n";
  std::string values = "values:\n  shared: {name: orders}\n";
  for (int service = 0; service < kImports; ++service) {
    const std::string name = "shop/service" + std::to_string(service);
    loader.Add(name, "values:\n  shared: {name: base}\n" + Service(service, 0, kKeysOfImport));
    imports += "  - " + name + "\n";
    values += Service(service, kKeysOfImport / 2, kKeysOfImport / 2);
  }
  return imports + values;
}

eval::EvalResult Evaluate(const std::string& definition, MapLoader& loader) {
  eval::EvalOptions options;
  options.environment = "shop/all";
  options.loader = &loader;
  eval::EvalResult result = eval::Evaluate(definition, options);
  if (!result.ok()) {
    std::fprintf(stderr, "eval_bench: %s\n", result.diagnostics.front().ToString().c_str());
    std::exit(1);
  }
  return result;
}

// What the one thread of an evaluation has used of the processor, whatever else runs beside it.
double ThreadMs() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

template <class Work>
double MedianMs(const Work& work) {
  std::vector<double> times;
  for (int run = 0; run < kRuns; ++run) {
    const double start = ThreadMs();
    work();
    times.push_back(ThreadMs() - start);
  }
  std::ranges::nth_element(times, times.begin() + kRuns / 2);
  return times[kRuns / 2];
}

int Main() {
  MapLoader loader;
  const std::string definition = Definition(loader);
  std::size_t values_size = 0;
  const double values = MedianMs([&] {
    SecretBuilder json;
    esc::WriteJson(Evaluate(definition, loader).properties, {}, json);
    values_size = json.Size();
  });
  std::size_t api_size = 0;
  const double api = MedianMs([&] {
    SecretBuilder json;
    eval::WriteEnvironmentJson(Evaluate(definition, loader), {}, json);
    api_size = json.Size();
  });
  const auto kilobytes = [](std::size_t size) { return std::to_string(size / 1024) + " KiB"; };
  PrintTable(
      "1,000 keys from 50 imports, 500 of them overridden, from the texts on: read, import, "
      "evaluate, write (CPU time, median)",
      {Compare("the values as JSON, " + kilobytes(values_size), values, kLimitMs, " ms"),
       Compare("what ESC's API answers (traces, expressions, schemas), " + kilobytes(api_size), api,
               kLimitMs, " ms")});
  return 0;
}

}  // namespace
}  // namespace escagent::testing

int main() { return escagent::testing::Main(); }
