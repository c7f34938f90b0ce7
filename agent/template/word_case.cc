#include "agent/template/word_case.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "agent/template/runes.h"

namespace escagent::gotemplate {
namespace {

enum class CharacterKind { kNone, kNumber, kUpper, kAlphabet, kConnector, kPunctuation, kOther };

struct Word {
  CharacterKind kind = CharacterKind::kNone;
  std::u32string text;
};

bool IsConnector(char32_t rune) { return rune == '-' || rune == '_' || IsSpace(rune); }

bool IsPunctuation(char32_t rune) {
  return rune < 0x80 && std::u32string_view(U"!\"#%&'()*,-./:;?@[\\]_{}").contains(rune);
}

CharacterKind KindOf(char32_t rune) {
  if (IsConnector(rune)) return CharacterKind::kConnector;
  if (IsPunctuation(rune)) return CharacterKind::kPunctuation;
  if (IsUpper(rune)) return CharacterKind::kUpper;
  if (IsLetter(rune)) return CharacterKind::kAlphabet;
  return IsDigit(rune) ? CharacterKind::kNumber : CharacterKind::kOther;
}

// Where the word that begins at `begin` ends. A run of capitals leaves its last to the small
// letters behind it.
std::size_t EndOfWord(std::u32string_view text, std::size_t begin) {
  const auto kind_at = [&text](std::size_t at) {
    return at < text.size() ? KindOf(text[at]) : CharacterKind::kNone;
  };
  const CharacterKind kind = KindOf(text[begin]);
  std::size_t end = begin + 1;
  while (kind_at(end) == kind) ++end;
  if (kind != CharacterKind::kUpper || kind_at(end) != CharacterKind::kAlphabet) return end;
  if (end - begin > 1) return end - 1;
  while (kind_at(end) == CharacterKind::kAlphabet) ++end;
  return end;
}

std::vector<Word> SplitWords(std::u32string_view text) {
  std::vector<Word> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = EndOfWord(text, at);
    words.push_back({.kind = KindOf(text[at]), .text = std::u32string(text.substr(at, end - at))});
    at = end;
  }
  return words;
}

class WordSeparator {
 public:
  WordSeparator(std::string_view text, char separator)
      : words_(SplitWords(ToRunes(text))), separator_(separator) {}

  std::string Run() {
    while (at_ + 1 < words_.size()) {
      const CharacterKind kind = words_[at_].kind;
      Take();
      if (kind == CharacterKind::kNumber) {
        TakeLettersAndDigits();
      } else if (kind != CharacterKind::kConnector && kind != CharacterKind::kPunctuation) {
        if (Current() == CharacterKind::kNumber) {
          TakeNumber();
        } else {
          SeparateUnlessApart();
        }
      }
    }
    if (at_ < words_.size()) Take();
    return std::move(out_);
  }

 private:
  CharacterKind Current() const {
    return at_ < words_.size() ? words_[at_].kind : CharacterKind::kNone;
  }

  void Take() {
    for (const char32_t rune : words_[at_++].text) {
      AppendRune(IsConnector(rune) ? static_cast<unsigned char>(separator_) : ToLower(rune), out_);
    }
  }

  void SeparateUnlessApart() {
    const CharacterKind kind = Current();
    if (kind != CharacterKind::kNone && kind != CharacterKind::kConnector &&
        kind != CharacterKind::kPunctuation) {
      out_ += separator_;
    }
  }

  // "1st2nd" is one word.
  void TakeLettersAndDigits() {
    while (Current() == CharacterKind::kAlphabet || Current() == CharacterKind::kNumber) Take();
    SeparateUnlessApart();
  }

  // Digits behind letters: at the end of the word unless small letters follow.
  void TakeNumber() {
    if (at_ + 1 >= words_.size()) return;
    if (words_[at_ + 1].kind != CharacterKind::kAlphabet) {
      Take();
      SeparateUnlessApart();
      return;
    }
    out_ += separator_;
    Take();
    TakeLettersAndDigits();
  }

  const std::vector<Word> words_;
  const char separator_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string SeparateWords(std::string_view text, char separator) {
  return WordSeparator(text, separator).Run();
}

std::string JoinWords(std::string_view text) {
  const std::u32string runes = ToRunes(text);
  std::string out;
  std::size_t at = 0;
  while (at < runes.size() && IsConnector(runes[at])) AppendRune(runes[at++], out);
  if (at == runes.size()) return out;
  // A word in capitals is taken for one with a capital.
  bool lowering = IsUpper(runes[at]);
  char32_t pending = ToUpper(runes[at]);
  for (++at; at < runes.size(); ++at) {
    const char32_t rune = runes[at];
    if (IsConnector(pending) && !IsConnector(rune)) {
      lowering = IsUpper(rune);
      pending = ToUpper(rune);
      continue;
    }
    AppendRune(pending, out);
    lowering = lowering && IsUpper(rune);
    pending = lowering ? ToLower(rune) : rune;
  }
  AppendRune(pending, out);
  return out;
}

}  // namespace escagent::gotemplate
