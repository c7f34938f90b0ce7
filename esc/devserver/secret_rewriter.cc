#include "esc/devserver/secret_rewriter.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "esc/edit/secret_literal.h"
#include "esc/edit/splice.h"
#include "esc/edit/yaml_text.h"
#include "esc/edit/yaml_tree.h"
#include "esc/edit/yaml_writer.h"
#include "esc/eval/scalar.h"

namespace escagent::devserver {
namespace {

using edit::YamlNode;

// Collects what to replace, in the order of the text.
class Rewriter {
 public:
  Rewriter(const SecretCodec& codec, std::string_view text, const YamlNode& root, SecretForm form)
      : codec_(codec), text_(text), layout_(edit::LayoutOf(text, root)), form_(form) {}

  void Visit(const YamlNode& node, bool flow) {
    if (const auto literal = edit::AsSecretLiteral(node)) {
      return VisitSecret(node, *literal, flow || node.flow);
    }
    for (const YamlNode& element : node.elements) Visit(element, flow || node.flow);
    for (const YamlNode::Entry& entry : node.entries) Visit(entry.value, flow || node.flow);
  }

  const std::vector<edit::Splice>& splices() const { return splices_; }

 private:
  bool ShallBeEncrypted(std::string_view plaintext) const {
    return form_ == SecretForm::kEncrypted ||
           (form_ == SecretForm::kStored && plaintext.contains('$'));
  }

  void VisitSecret(const YamlNode& call, const edit::SecretLiteral& literal, bool flow) {
    const std::string_view text = literal.text->text.Reveal();
    if (literal.encrypted) {
      const Result<Secret> plaintext = codec_.DecryptEnvelope(text);
      if (plaintext && !ShallBeEncrypted(plaintext->Reveal())) {
        WritePlain(call, *literal.argument, plaintext->Reveal());
      }
      return;
    }
    const bool string =
        !literal.text->plain || eval::ResolvePlainScalar(text).kind == eval::Scalar::Kind::kString;
    if (!string || !ShallBeEncrypted(text)) return;
    if (const Result<Secret> ciphertext = codec_.Encrypt(text)) {
      WriteCiphertext(call, *literal.argument, ciphertext->Reveal(), flow);
    }
  }

  void WriteCiphertext(const YamlNode& call, const YamlNode& argument, std::string_view ciphertext,
                       bool flow) {
    SecretBuilder out;
    if (flow) {
      out.Append("{ciphertext: ");
      out.Append(ciphertext);
      out.Append('}');
      splices_.push_back({argument.begin, argument.end, out.Finish()});
      return;
    }
    out.Append(layout_.line_break);
    edit::AppendSpaces(edit::ColumnOf(text_, call.content) + layout_.step, out);
    out.Append("ciphertext: ");
    out.Append(ciphertext);
    Replace(*call.entries.front().colon + 1, argument.end, out);
  }

  void WritePlain(const YamlNode& call, const YamlNode& argument, std::string_view plaintext) {
    SecretBuilder out;
    std::size_t begin = argument.begin;
    const std::size_t after_colon = *call.entries.front().colon + 1;
    if (text_.substr(after_colon, begin - after_colon).find_first_not_of(" \t\r\n") ==
        std::string_view::npos) {
      begin = after_colon;
      out.Append(' ');
    }
    edit::AppendShortest(plaintext, out);
    Replace(begin, argument.end, out);
  }

  // Replaces by a text that may end without a quote or bracket.
  void Replace(std::size_t begin, std::size_t end, SecretBuilder& out) {
    const std::size_t next = std::min(text_.find_first_not_of(" \t\r\n", end), text_.size());
    if (next == end && next < text_.size() && text_[next] == '#') out.Append(' ');
    // Tabs in blank lines belong to the plain text before them, and may stand nowhere else.
    const std::string_view blank = text_.substr(end, next - end);
    if (blank.contains('\t') && blank.contains('\n')) {
      out.Append(layout_.line_break);
      edit::AppendSpaces(edit::ColumnOf(text_, next), out);
      end = next;
    }
    splices_.push_back({begin, end, out.Finish()});
  }

  const SecretCodec& codec_;
  std::string_view text_;
  const edit::Layout layout_;
  const SecretForm form_;
  std::vector<edit::Splice> splices_;
};

}  // namespace

Secret RewriteSecrets(const SecretCodec& codec, std::string_view definition, SecretForm form) {
  const Result<YamlNode> root = edit::ReadYamlTree(definition);
  if (!root) return Secret(definition);
  Rewriter rewriter(codec, definition, *root, form);
  for (const YamlNode::Entry& entry : root->entries) {
    if (EqualsIgnoreCase(entry.key.text.Reveal(), "values"))
      rewriter.Visit(entry.value, root->flow);
  }
  SecretBuilder out;
  std::size_t done = 0;
  for (const edit::Splice& splice : rewriter.splices()) {
    out.Append(definition.substr(done, splice.begin - done));
    out.Append(splice.text);
    done = splice.end;
  }
  out.Append(definition.substr(done));
  return out.Finish();
}

}  // namespace escagent::devserver
