#include "agent/template/word_case.h"

#include <cstddef>
#include <utility>
#include <vector>

#include "agent/template/runes.h"

namespace escagent::gotemplate {
namespace {

enum class Kind { kNone, kNumber, kUpper, kAlphabet, kConnector, kPunctuation, kOther };

struct Word {
  Kind kind = Kind::kNone;
  std::u32string text;
};

bool IsConnector(char32_t rune) { return rune == '-' || rune == '_' || IsSpace(rune); }

bool IsPunctuation(char32_t rune) {
  return rune < 0x80 && std::u32string_view(U"!\"#%&'()*,-./:;?@[\\]_{}").contains(rune);
}

Kind KindOf(char32_t rune) {
  if (IsConnector(rune)) return Kind::kConnector;
  if (IsPunctuation(rune)) return Kind::kPunctuation;
  if (IsUpper(rune)) return Kind::kUpper;
  if (IsLetter(rune)) return Kind::kAlphabet;
  return IsDigit(rune) ? Kind::kNumber : Kind::kOther;
}

// Where the word that begins at `begin` ends. A run of capitals leaves its last to the small
// letters behind it.
std::size_t EndOfWord(std::u32string_view text, std::size_t begin) {
  const auto kind_at = [&text](std::size_t at) {
    return at < text.size() ? KindOf(text[at]) : Kind::kNone;
  };
  const Kind kind = KindOf(text[begin]);
  std::size_t end = begin + 1;
  while (kind_at(end) == kind) ++end;
  if (kind != Kind::kUpper || kind_at(end) != Kind::kAlphabet) return end;
  if (end - begin > 1) return end - 1;
  while (kind_at(end) == Kind::kAlphabet) ++end;
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
      const Kind kind = words_[at_].kind;
      Take();
      if (kind == Kind::kNumber) {
        TakeLettersAndDigits();
      } else if (kind != Kind::kConnector && kind != Kind::kPunctuation) {
        if (Current() == Kind::kNumber) {
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
  Kind Current() const { return at_ < words_.size() ? words_[at_].kind : Kind::kNone; }

  void Take() {
    for (const char32_t rune : words_[at_++].text) {
      AppendRune(IsConnector(rune) ? static_cast<unsigned char>(separator_) : ToLower(rune), out_);
    }
  }

  void SeparateUnlessApart() {
    const Kind kind = Current();
    if (kind != Kind::kNone && kind != Kind::kConnector && kind != Kind::kPunctuation) {
      out_ += separator_;
    }
  }

  // "1st2nd" is one word.
  void TakeLettersAndDigits() {
    while (Current() == Kind::kAlphabet || Current() == Kind::kNumber) Take();
    SeparateUnlessApart();
  }

  // Digits behind letters: at the end of the word unless small letters follow.
  void TakeNumber() {
    if (at_ + 1 >= words_.size()) return;
    if (words_[at_ + 1].kind != Kind::kAlphabet) {
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
