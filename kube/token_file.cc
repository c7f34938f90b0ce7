#include "kube/token_file.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "base/file.h"

namespace escagent::kube {
namespace {

constexpr std::chrono::seconds kLookEvery{1};
constexpr std::size_t kMaxToken = std::size_t{64} << 10;
constexpr std::string_view kWhiteSpace = " \t\r\n";

}  // namespace

TokenFile::TokenFile(std::string path, Clock& clock)
    : path_(std::move(path)), clock_(clock), next_look_(clock.Now()) {}

Result<std::shared_ptr<const Secret>> TokenFile::Get(const std::stop_token& /*stop*/) {
  {
    MutexLock lock(mutex_);
    const Clock::TimePoint now = clock_.Now();
    if (token_ != nullptr && now < next_look_) return token_;
    // Others go on with the old one meanwhile.
    next_look_ = now + kLookEvery;
  }
  Result<std::shared_ptr<const Secret>> read = Read();
  MutexLock lock(mutex_);
  if (!read) {
    if (token_ == nullptr) return read;
    return token_;
  }
  // The same text stays the same object: whoever compares sees that nothing changed.
  if (token_ == nullptr || !token_->Equals(**read)) token_ = *std::move(read);
  return token_;
}

Result<std::shared_ptr<const Secret>> TokenFile::Read() const {
  Result<Secret> text = ReadFile(path_, kMaxToken);
  if (!text) {
    Error error = Annotate(std::move(text).error(), "get the token for the API server");
    error.code = Code::kUnauthenticated;
    return std::unexpected(std::move(error));
  }
  std::string_view token = text->Reveal();
  token.remove_prefix(std::min(token.find_first_not_of(kWhiteSpace), token.size()));
  token = token.substr(0, token.find_last_not_of(kWhiteSpace) + 1);
  if (token.empty()) {
    return MakeError(Code::kUnauthenticated,
                     "get the token for the API server: " + path_ + " is empty");
  }
  return std::make_shared<const Secret>(token);
}

void TokenFile::Refused(const std::shared_ptr<const Secret>& token) {
  MutexLock lock(mutex_);
  if (token == token_) next_look_ = clock_.Now();
}

}  // namespace escagent::kube
