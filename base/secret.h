#pragma once

#include <cstddef>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

// Forward declarations of what a Secret must never meet; see the deleted functions at the end.
namespace fmt {
inline namespace v9 {
template <typename T, typename Char, typename Enable>
struct formatter;
}
}  // namespace fmt

namespace escagent {

// Bytes that must not leak: a value, a token, a key.
//
// Move-only, so that each copy is a visible Clone(). It cannot be logged, streamed, formatted,
// turned into JSON or compared with == by accident: each is a compile error (tests/compile_fail).
// Reveal() is the one way out and is easy to grep for.
//
// The bytes live in locked memory outside core dumps (base/locked_memory.h) and are wiped when the
// Secret is destroyed or assigned to. Thread-compatible: const members from any thread.
class Secret {
 public:
  Secret() = default;
  // Copies the bytes; the caller's copy stays the caller's to wipe.
  explicit Secret(std::string_view bytes);
  // Takes the bytes over and wipes `bytes`.
  explicit Secret(std::string&& bytes);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  // The bytes, valid as long as this object. Not NUL-terminated.
  std::string_view Reveal() const { return {data_, size_}; }
  Secret Clone() const { return Secret(Reveal()); }

  // Compares in constant time (for equal sizes).
  bool Equals(const Secret& other) const { return Equals(other.Reveal()); }
  bool Equals(std::string_view other) const;

  std::size_t Size() const { return size_; }
  bool Empty() const { return size_ == 0; }

 private:
  friend class SecretBuilder;
  void Wipe();

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// Collects bytes into a Secret (a response body, a rendered file) and wipes what it outgrows.
class SecretBuilder {
 public:
  SecretBuilder() = default;
  SecretBuilder(const SecretBuilder&) = delete;
  SecretBuilder& operator=(const SecretBuilder&) = delete;
  SecretBuilder(SecretBuilder&&) = default;
  SecretBuilder& operator=(SecretBuilder&&) = default;

  void Append(std::string_view bytes);
  void Append(char c) { Append(std::string_view(&c, 1)); }
  void Append(const Secret& secret) { Append(secret.Reveal()); }
  std::size_t Size() const { return secret_.size_; }
  std::string_view Reveal() const { return secret_.Reveal(); }
  // The bytes collected; the builder is empty afterwards. Memory is trimmed to the size.
  Secret Finish();

 private:
  Secret secret_;
};

// Overwrites the characters of a string that held a value, including its small-string buffer.
void WipeString(std::string& s);

std::ostream& operator<<(std::ostream&, const Secret&) = delete;
bool operator==(const Secret&, const Secret&) = delete;
// nlohmann/json finds this by argument-dependent look-up.
template <typename Json>
void to_json(Json&, const Secret&) = delete;

}  // namespace escagent

template <typename Char>
struct fmt::formatter<escagent::Secret, Char, void> {
  formatter() = delete;
};
