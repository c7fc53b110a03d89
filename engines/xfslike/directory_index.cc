#include "engines/xfslike/directory_index.h"

#include <array>
#include <cstring>

#include "engines/base/check.h"

namespace daxlab::xfslike {

namespace {

/// Bytes of a short form that a new one is built from: they are replaced while names still point into them.
struct ShortBytes {
  std::array<std::byte, kShortFormBytesMax> bytes;
  uint32_t count = 0;

  static Result<ShortBytes> of(const DirectoryHome& home) {
    const std::span<const std::byte> from = home.short_form();
    if (from.size() > kShortFormBytesMax) return Errc::kCorrupt;
    ShortBytes copy;
    copy.count = static_cast<uint32_t>(from.size());
    if (copy.count > 0) std::memcpy(copy.bytes.data(), from.data(), copy.count);
    return copy;
  }
  std::span<const std::byte> span() const { return {bytes.data(), count}; }
};

/// Collects what a block lists, as long as it would fit into the inode.
class ShortCollector {
 public:
  ShortCollector(uint64_t parent, uint32_t bytes_max) : form_(parent), bytes_max_(bytes_max) {}
  bool add(const DirectoryEntry& entry) {
    if (name_bytes_ + entry.name.size() > kShortFormBytesMax) return fits_ = false;
    char* at = text_.data() + name_bytes_;
    std::memcpy(at, entry.name.data(), entry.name.size());
    name_bytes_ += static_cast<uint32_t>(entry.name.size());
    const std::string_view name(at, entry.name.size());
    const auto offset = static_cast<uint32_t>(entry.cookie * kDirUnit);
    return fits_ = form_.append({name, {entry.ino, entry.kind}, offset}) && form_.size_bytes() <= bytes_max_;
  }
  bool fits() const { return fits_; }
  const ShortForm& form() const { return form_; }

 private:
  ShortForm form_;
  const uint32_t bytes_max_;
  bool fits_ = true;
  uint32_t name_bytes_ = 0;
  std::array<char, kShortFormBytesMax> text_;
};

}  // namespace

std::vector<std::byte> empty_short_form(uint64_t parent) {
  const ShortForm form(parent);
  std::vector<std::byte> bytes(form.size_bytes());
  form.write(bytes.data());
  return bytes;
}

/// use(blocks), and the size that it leaves is the inode's.
template <typename Use>
auto DirectoryIndex::in_blocks(Use use) const {
  uint64_t size_bytes = home_.size_bytes();
  DirBlocks blocks(home_.blocks(), size_bytes);
  auto result = use(blocks);
  if (size_bytes != home_.size_bytes()) home_.set_size_bytes(size_bytes);
  return result;
}

void DirectoryIndex::make_empty(uint64_t parent) { DAXLAB_CHECK(store_short(ShortForm(parent)).value()); }

/// False where it does not fit into the inode; then nothing is changed.
Result<bool> DirectoryIndex::store_short(const ShortForm& form) {
  const uint32_t bytes = form.size_bytes();
  if (bytes > home_.short_form_bytes_max() || bytes > kShortFormBytesMax) return false;
  std::array<std::byte, kShortFormBytesMax> buffer;
  form.write(buffer.data());
  home_.set_short_form({buffer.data(), bytes});
  home_.set_size_bytes(bytes);
  return true;
}

Result<DirFound> DirectoryIndex::lookup(std::string_view name) const {
  if (!home_.is_short()) return in_blocks([&](DirBlocks& blocks) { return blocks.lookup(name); });
  DAXLAB_ASSIGN(ShortForm form, ShortForm::read(home_.short_form()));
  const ShortForm::Name* found = form.find(name);
  if (found == nullptr) return Errc::kNotFound;
  return DirFound{found->target.ino, found->target.kind, found->offset / kDirUnit};
}

Result<uint64_t> DirectoryIndex::insert(std::string_view name, const DirTarget& target) {
  DAXLAB_CHECK(!name.empty() && name.size() <= kNameBytesMax);
  if (home_.is_short()) {
    DAXLAB_ASSIGN(const ShortBytes bytes, ShortBytes::of(home_));
    DAXLAB_ASSIGN(ShortForm form, ShortForm::read(bytes.span()));
    if (form.find(name) != nullptr) return Errc::kExists;
    const ShortForm::Name* added = form.add(name, target, home_.blocks().block_bytes());
    if (added != nullptr) {
      DAXLAB_ASSIGN(const bool stored, store_short(form));
      if (stored) return added->offset / kDirUnit;
    }
    DAXLAB_TRY(to_blocks());
  }
  return in_blocks([&](DirBlocks& blocks) { return blocks.insert(name, target); });
}

Result<DirFound> DirectoryIndex::erase(std::string_view name) {
  if (home_.is_short()) {
    DAXLAB_ASSIGN(const ShortBytes bytes, ShortBytes::of(home_));
    DAXLAB_ASSIGN(ShortForm form, ShortForm::read(bytes.span()));
    const ShortForm::Name* at = form.find(name);
    if (at == nullptr) return Errc::kNotFound;
    const DirFound found{at->target.ino, at->target.kind, at->offset / kDirUnit};
    form.erase(at);
    DAXLAB_ASSIGN(const bool stored, store_short(form));
    DAXLAB_CHECK(stored);
    return found;
  }
  DAXLAB_ASSIGN(const DirFound found, in_blocks([&](DirBlocks& blocks) { return blocks.erase(name); }));
  DAXLAB_TRY(to_short());
  return found;
}

Result<DirFound> DirectoryIndex::replace(std::string_view name, const DirTarget& target) {
  if (home_.is_short()) {
    DAXLAB_ASSIGN(const ShortBytes bytes, ShortBytes::of(home_));
    DAXLAB_ASSIGN(ShortForm form, ShortForm::read(bytes.span()));
    ShortForm::Name* at = form.find(name);
    if (at == nullptr) return Errc::kNotFound;
    const DirFound found{at->target.ino, at->target.kind, at->offset / kDirUnit};
    at->target = target;
    DAXLAB_ASSIGN(const bool stored, store_short(form));
    if (stored) return found;
    DAXLAB_TRY(to_blocks());
  }
  return in_blocks([&](DirBlocks& blocks) { return blocks.replace(name, target); });
}

Result<bool> DirectoryIndex::is_empty() const {
  bool empty = true;
  DAXLAB_TRY(list(0, [&](const DirectoryEntry&) { return empty = false; }));
  return empty;
}

Result<uint64_t> DirectoryIndex::parent() const {
  if (home_.is_short()) {
    DAXLAB_ASSIGN(const ShortForm form, ShortForm::read(home_.short_form()));
    return form.parent();
  }
  const auto found = in_blocks([](DirBlocks& blocks) { return blocks.lookup(".."); });
  if (found.ok()) return found->ino;
  if (found.code() == Errc::kNotFound) return Error(Errc::kCorrupt, "a directory without ..");
  return found.error();
}

Result<void> DirectoryIndex::set_parent(uint64_t parent) {
  if (home_.is_short()) {
    DAXLAB_ASSIGN(const ShortBytes bytes, ShortBytes::of(home_));
    DAXLAB_ASSIGN(ShortForm form, ShortForm::read(bytes.span()));
    form.set_parent(parent);
    DAXLAB_ASSIGN(const bool stored, store_short(form));
    if (stored) return {};
    DAXLAB_TRY(to_blocks());
  }
  const auto set = in_blocks([&](DirBlocks& blocks) { return blocks.replace("..", {parent, NodeKind::kDirectory}); });
  if (!set.ok()) return set.code() == Errc::kNotFound ? Error(Errc::kCorrupt, "a directory without ..") : set.error();
  return {};
}

Result<void> DirectoryIndex::list(uint64_t cookie, const std::function<bool(const DirectoryEntry&)>& visit) const {
  if (!home_.is_short()) return in_blocks([&](DirBlocks& blocks) { return blocks.list(cookie, visit); });
  DAXLAB_ASSIGN(const ShortForm form, ShortForm::read(home_.short_form()));
  for (const ShortForm::Name& name : form.names()) {
    const uint64_t at = name.offset / kDirUnit;
    if (at > cookie && !visit({name.name, name.target.ino, name.target.kind, at})) return {};
  }
  return {};
}

Result<uint32_t> DirectoryIndex::insert_blocks(size_t name_bytes) const {
  if (!home_.is_short()) return in_blocks([&](DirBlocks& blocks) { return blocks.insert_blocks(name_bytes); });
  DAXLAB_ASSIGN(const ShortForm form, ShortForm::read(home_.short_form()));
  // As if every number were a long one: whether this one is, is not known here.
  const size_t bytes = form.size_bytes() + (form.names().size() + 1) * 4 + 1 + 2 + name_bytes + 1 + 8;
  const uint32_t end = form.names().empty() ? 0 : form.names().back().offset + dir_entry_bytes(form.names().back().name.size());
  const bool placed = DirBlocks::fits(home_.blocks().block_bytes(), end + dir_entry_bytes(name_bytes), form.names().size() + 1);
  // One block; and if gaps between the places leave no room in it, a leaf and a second one.
  return placed ? (bytes <= home_.short_form_bytes_max() ? 0 : 1) : 3;
}

uint32_t DirectoryIndex::replace_blocks(uint64_t ino) const { return home_.is_short() && ino >> 32 != 0 ? 1 : 0; }

/// All names into one block, where their cookies say.
Result<void> DirectoryIndex::to_blocks() {
  DAXLAB_ASSIGN(const ShortBytes bytes, ShortBytes::of(home_));
  DAXLAB_ASSIGN(const ShortForm form, ShortForm::read(bytes.span()));
  std::array<DirName, kShortNamesMax> names;
  size_t count = 0;
  for (const ShortForm::Name& name : form.names()) names[count++] = {name.name, name.target, name.offset / kDirUnit};
  home_.leave_short_form();
  home_.set_size_bytes(0);
  return in_blocks([&](DirBlocks& blocks) { return blocks.create(home_.ino(), form.parent(), {names.data(), count}); });
}

/// ... and back, if they fit.
Result<void> DirectoryIndex::to_short() {
  if (home_.size_bytes() != home_.blocks().block_bytes()) return {};
  const auto names = in_blocks([](DirBlocks& blocks) { return blocks.names_in_block(); });
  if (!names.ok()) return names.code() == Errc::kNoData ? Result<void>() : names.error();
  if (*names > kShortNamesMax) return {};
  DAXLAB_ASSIGN(const uint64_t parent, this->parent());
  ShortCollector collector(parent, home_.short_form_bytes_max());
  DAXLAB_TRY(list(0, [&](const DirectoryEntry& entry) { return collector.add(entry); }));
  if (!collector.fits()) return {};
  DAXLAB_TRY(in_blocks([](DirBlocks& blocks) { return blocks.remove_block(); }));
  DAXLAB_ASSIGN(const bool stored, store_short(collector.form()));
  DAXLAB_CHECK(stored);
  return {};
}

Result<uint64_t> DirectoryIndex::verify(const std::function<bool(std::string_view)>& report) const {
  if (!home_.is_short()) return in_blocks([&](DirBlocks& blocks) { return blocks.verify(report); });
  auto form = ShortForm::read(home_.short_form());
  if (!form.ok()) {
    report("the short form is damaged");
    return uint64_t{0};
  }
  if (home_.size_bytes() != home_.short_form().size()) report("the size is not that of the short form");
  for (const ShortForm::Name& name : form->names()) {
    if (form->find(name.name) != &name && !report("a name is there twice")) break;
  }
  return uint64_t{form->names().size()};
}

}  // namespace daxlab::xfslike
