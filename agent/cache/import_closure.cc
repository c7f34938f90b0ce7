#include "agent/cache/import_closure.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

namespace escagent::cache {
namespace {

bool IsRevisionNumber(std::string_view version) {
  return !version.empty() &&
         std::ranges::all_of(version, [](unsigned char c) { return std::isdigit(c) != 0; });
}

// Walks from definition to definition, breadth first.
class Walk {
 public:
  Walk(ProbeTable& probes, esc::Api& api, const EnvironmentKey& root, const std::stop_token& stop)
      : probes_(probes), api_(api), root_(root), stop_(stop) {}

  Status Run(const std::string& session_id) {
    ESC_RETURN_IF_ERROR(ReadRoot(session_id));
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      ESC_RETURN_IF_ERROR(ReadMember(waiting_[i]));
    }
    return {};
  }

  ImportClosure Take() {
    ImportClosure closure;
    closure.kind = dynamic_    ? ImportClosure::Kind::kDynamic
                   : complete_ ? ImportClosure::Kind::kStatic
                               : ImportClosure::Kind::kUnknown;
    closure.lifetime = lifetime_;
    for (auto& [ref, head] : heads_) {
      if (!IsRevisionNumber(ref.version)) {
        closure.members.push_back({.ref = ref, .head = std::move(head)});
      }
    }
    return closure;
  }

 private:
  using Definition = std::shared_ptr<const ReadDefinition>;

  Status ReadRoot(const std::string& session_id) {
    const Result<Definition> definition = probes_.Definition(api_, root_, stop_);
    if (definition) {
      Follow((*definition)->facts);
      return {};
    }
    if (!IsHidden(definition.error().code)) return std::unexpected(definition.error());
    complete_ = false;
    ESC_ASSIGN_OR_RETURN(const std::vector<esc::EnvironmentRef> contributors,
                         api_.ReadContributors(root_.ref, session_id, stop_));
    for (const esc::EnvironmentRef& ref : contributors) Add(ref);
    return {};
  }

  Status ReadMember(const esc::EnvironmentRef& ref) {
    EnvironmentKey target = root_;
    target.ref = ref;
    const Result<Definition> definition = probes_.Definition(api_, target, stop_);
    if (definition) {
      heads_[ref] = (*definition)->head;
      Follow((*definition)->facts);
      return {};
    }
    const Code code = definition.error().code;
    if (code == Code::kNotFound) return {};
    if (!IsHidden(code)) return std::unexpected(definition.error());
    // Perhaps its revision may be seen, if not its text.
    complete_ = false;
    const auto head = probes_.Head(api_, target, Clock::TimePoint{}, stop_);
    if (head) {
      heads_[ref] = *head;
    } else if (!IsHidden(head.error().code)) {
      return std::unexpected(head.error());
    } else {
      heads_.erase(ref);
    }
    return {};
  }

  // It is there, for others; or is no YAML.
  static bool IsHidden(Code code) {
    return code == Code::kPermissionDenied || code == Code::kUnimplemented ||
           code == Code::kInvalidArgument;
  }

  void Follow(const DefinitionFacts& facts) {
    dynamic_ = dynamic_ || facts.dynamic;
    if (facts.lifetime) lifetime_ = std::min(lifetime_.value_or(*facts.lifetime), *facts.lifetime);
    for (const esc::EnvironmentRef& ref : facts.references) Add(ref);
  }

  void Add(const esc::EnvironmentRef& ref) {
    if (ref == root_.ref || heads_.contains(ref)) return;
    if (heads_.size() == kMaxClosureMembers) {
      complete_ = false;
      return;
    }
    heads_.emplace(ref, std::nullopt);
    waiting_.push_back(ref);
  }

  ProbeTable& probes_;
  esc::Api& api_;
  const EnvironmentKey& root_;
  const std::stop_token& stop_;
  std::map<esc::EnvironmentRef, std::optional<esc::EnvironmentHead>> heads_;
  std::vector<esc::EnvironmentRef> waiting_;
  bool complete_ = true;
  bool dynamic_ = false;
  std::optional<std::chrono::milliseconds> lifetime_;
};

}  // namespace

const ImportClosure::Member* ImportClosure::Find(const esc::EnvironmentRef& ref) const {
  const auto it = std::ranges::find(members, ref, &Member::ref);
  return it == members.end() ? nullptr : &*it;
}

Result<ImportClosure> LearnClosure(ProbeTable& probes, esc::Api& api, const EnvironmentKey& root,
                                   const std::string& session_id, const std::stop_token& stop) {
  Walk walk(probes, api, root, stop);
  ESC_RETURN_IF_ERROR(walk.Run(session_id));
  return walk.Take();
}

}  // namespace escagent::cache
