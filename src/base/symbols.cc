#include "base/symbols.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <span>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "base/files.h"

namespace towline {
namespace {

std::string hexadecimal(std::uintptr_t value) {
  char digits[2 * sizeof value];
  const auto end = std::to_chars(digits, digits + sizeof digits, value, 16).ptr;
  return "0x" + std::string(digits, end);
}

std::string demangled(const char* name) {
  int status = 0;
  char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 && text != nullptr ? text : name;
  std::free(text);
  return result;
}

// A file as it lies on the disk, whose tables are taken only as far as they lie inside.
class ElfFile {
 public:
  explicit ElfFile(const std::string& path) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file.open() || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
      return;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (start != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(start), size};
  }
  ~ElfFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
  ElfFile(ElfFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ElfFile& operator=(ElfFile&&) = delete;

  // The mangled name of the function at an address that counts from the file's own beginning; null: none.
  const char* function_at(std::uintptr_t address) const {
    const auto header = at<ElfW(Ehdr)>(0, 1);
    if (header.empty() || std::memcmp(header[0].e_ident, ELFMAG, SELFMAG) != 0) return nullptr;
    const auto sections = at<ElfW(Shdr)>(header[0].e_shoff, header[0].e_shnum);
    for (const ElfW(Word) kind : {SHT_SYMTAB, SHT_DYNSYM}) {
      for (const auto& section : sections) {
        if (section.sh_type != kind || section.sh_link >= sections.size()) continue;
        if (const char* name = look_in(section, sections[section.sh_link], address)) return name;
      }
    }
    return nullptr;
  }

 private:
  template <typename T>
  std::span<const T> at(std::size_t offset, std::size_t count) const {
    if (offset > bytes_.size() || count > (bytes_.size() - offset) / sizeof(T) || offset % alignof(T) != 0)
      return {};
    return {reinterpret_cast<const T*>(bytes_.data() + offset), count};
  }

  const char* look_in(const ElfW(Shdr) & table, const ElfW(Shdr) & names, std::uintptr_t address) const {
    const auto text = at<char>(names.sh_offset, names.sh_size);
    if (text.empty() || text.back() != '\0') return nullptr;
    for (const auto& symbol : at<ElfW(Sym)>(table.sh_offset, table.sh_size / sizeof(ElfW(Sym)))) {
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      if (address - symbol.st_value < symbol.st_size && symbol.st_name < text.size())
        return text.data() + symbol.st_name;
    }
    return nullptr;
  }

  std::span<const std::byte> bytes_;
};

}  // namespace

struct Symbols::Module {
  std::uintptr_t base = 0;  // what is added to the file's own addresses
  std::uintptr_t first = 0, end = 0;
  std::string name;
  std::string path;
  std::unique_ptr<ElfFile> file;  // mapped when first asked
};

struct Symbols::Modules {
  std::vector<Module> all;

  static int add(dl_phdr_info* info, std::size_t, void* into) {
    auto& modules = *static_cast<Modules*>(into);
    Module module{.base = info->dlpi_addr, .first = UINTPTR_MAX};
    for (int i = 0; i < info->dlpi_phnum; ++i) {
      const auto& part = info->dlpi_phdr[i];
      if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
      module.first = std::min(module.first, module.base + part.p_vaddr);
      module.end = std::max(module.end, module.base + part.p_vaddr + part.p_memsz);
    }
    // The program itself has no name here, and comes first.
    const bool program = modules.all.empty();
    module.path = program ? "/proc/self/exe" : info->dlpi_name;
    module.name = program ? program_invocation_short_name : module.path.substr(module.path.rfind('/') + 1);
    modules.all.push_back(std::move(module));
    return 0;
  }
};

Symbols::Symbols() : modules_(std::make_unique<Modules>()) { dl_iterate_phdr(Modules::add, modules_.get()); }
Symbols::~Symbols() = default;

std::string Symbols::name_of(std::uintptr_t address) {
  for (Module& module : modules_->all) {
    if (address < module.first || address >= module.end) continue;
    const std::string place = module.name + "+" + hexadecimal(address - module.base);
    if (module.file == nullptr) module.file = std::make_unique<ElfFile>(module.path);
    const char* const name = module.file->function_at(address - module.base);
    return name == nullptr ? place : demangled(name) + " (" + place + ")";
  }
  return hexadecimal(address);
}

}  // namespace towline
