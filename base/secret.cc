#include "base/secret.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/locked_memory.h"

namespace escagent {

Secret::Secret(std::string_view bytes) {
  if (bytes.empty()) return;
  const LockedBlock block = LockedAllocate(bytes.size());
  data_ = block.data;
  capacity_ = block.size;
  size_ = bytes.size();
  std::memcpy(data_, bytes.data(), size_);
}

Secret::Secret(std::string&& bytes) : Secret(std::string_view(bytes)) { WipeString(bytes); }

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
  }
  return *this;
}

Secret::~Secret() { Wipe(); }

void Secret::Wipe() {
  if (data_ != nullptr) LockedFree({data_, capacity_});
  data_ = nullptr;
  size_ = 0;
  capacity_ = 0;
}

bool Secret::Equals(std::string_view other) const {
  return size_ == other.size() && (size_ == 0 || CRYPTO_memcmp(data_, other.data(), size_) == 0);
}

void SecretBuilder::Append(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::size_t needed = secret_.size_ + bytes.size();
  if (needed > secret_.capacity_) {
    const LockedBlock block = LockedAllocate(std::max(needed, secret_.capacity_ * 2));
    if (secret_.size_ > 0) std::memcpy(block.data, secret_.data_, secret_.size_);
    const std::size_t size = secret_.size_;
    secret_.Wipe();
    secret_.data_ = block.data;
    secret_.capacity_ = block.size;
    secret_.size_ = size;
  }
  std::memcpy(secret_.data_ + secret_.size_, bytes.data(), bytes.size());
  secret_.size_ = needed;
}

Secret SecretBuilder::Finish() {
  Secret result = std::exchange(secret_, Secret());
  // A builder doubles; what is kept for long should not hold twice its size of locked memory.
  if (result.capacity_ > 4096 && result.capacity_ > result.size_ + result.size_ / 4) {
    return result.Clone();
  }
  return result;
}

void WipeString(std::string& s) {
  s.resize(s.capacity());
  OPENSSL_cleanse(s.data(), s.size());
  s.clear();
}

}  // namespace escagent
