// Runs a fuzz target without libFuzzer: every file of the corpus as it is, then
// a fixed number of mutations of them, the same ones on every run.
//
//   target [--runs=N] [--seed=N] [FILE | FOLDER]...
//
// A crash names the input: it is written to crash-input in
// $TEST_UNDECLARED_OUTPUTS_DIR (or the current folder) before each mutated run
// that could crash.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Input = std::vector<uint8_t>;

// Mutations may grow an input up to this many bytes beyond its origin.
constexpr size_t kMaxGrowth = 256;

// What the crash handler saves. Written before each run, read in the handler.
const Input* g_current_input = nullptr;
std::string g_crash_path;

// Only async-signal-safe calls.
extern "C" void SaveCrashInput(int signal_number) {
  const int fd = open(g_crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd >= 0 && g_current_input != nullptr) {
    size_t done = 0;
    while (done < g_current_input->size()) {
      const ssize_t n = write(fd, g_current_input->data() + done,
                              g_current_input->size() - done);
      if (n <= 0) break;
      done += static_cast<size_t>(n);
    }
    close(fd);
    const char kText[] =
        "fuzz driver: the target crashed; its input is in the file "
        "crash-input\n";
    if (write(STDERR_FILENO, kText, sizeof(kText) - 1) < 0) {
      // Nothing is left to be done about it.
    }
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

void CollectFiles(const std::string& path, std::vector<std::string>& files) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) {
    std::fprintf(stderr, "fuzz driver: cannot read %s\n", path.c_str());
    std::exit(2);
  }
  if (!S_ISDIR(info.st_mode)) {
    files.push_back(path);
    return;
  }
  DIR* dir = opendir(path.c_str());
  if (dir == nullptr) return;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] != '.')
      CollectFiles(path + "/" + entry->d_name, files);
  }
  closedir(dir);
}

Input Mutate(const std::vector<Input>& corpus, std::mt19937_64& random) {
  const auto below = [&random](size_t n) {
    return static_cast<size_t>(random() % n);
  };
  Input input = corpus[below(corpus.size())];
  const size_t max_size = input.size() + kMaxGrowth;
  for (size_t step = 0, steps = 1 + below(4); step < steps; ++step) {
    const size_t at = input.empty() ? 0 : below(input.size());
    const auto begin = input.begin() + static_cast<ptrdiff_t>(at);
    switch (input.empty() ? 2 : below(7)) {
      case 0:  // Flip a bit.
        input[at] ^= static_cast<uint8_t>(1u << below(8));
        break;
      case 1: {  // A byte that parsers trip over: lengths, signs, line ends.
        constexpr uint8_t kBytes[] = {0x00, 0x01, 0x0a, 0x0d, 0x2d, 0x30, 0x7f,
                                      0x80, 0x81, 0x82, 0x84, 0xa0, 0xff};
        input[at] = kBytes[below(sizeof(kBytes))];
        break;
      }
      case 2:  // Insert a byte.
        input.insert(begin, static_cast<uint8_t>(random()));
        break;
      case 3: {  // Remove a few bytes.
        const size_t n = std::min(input.size() - at, 1 + below(16));
        input.erase(begin, begin + static_cast<ptrdiff_t>(n));
        break;
      }
      case 4:  // Truncate.
        input.resize(at);
        break;
      case 5: {  // Repeat a piece of the input in another place.
        const size_t n = std::min(input.size() - at, 1 + below(64));
        const Input piece(begin, begin + static_cast<ptrdiff_t>(n));
        const auto to = static_cast<ptrdiff_t>(below(input.size() + 1));
        input.insert(input.begin() + to, piece.begin(), piece.end());
        break;
      }
      default: {  // Go on as another input does.
        const Input& other = corpus[below(corpus.size())];
        input.resize(at);
        const size_t from = other.empty() ? 0 : below(other.size());
        input.insert(input.end(), other.begin() + static_cast<ptrdiff_t>(from),
                     other.end());
        break;
      }
    }
  }
  if (input.size() > max_size) input.resize(max_size);
  return input;
}

void Run(const Input& input) {
  // A copy of the exact size, so that a sanitizer sees a read past the end.
  const Input copy(input.begin(), input.end());
  g_current_input = &copy;
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
  g_current_input = nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t runs = 2000;
  uint64_t seed = 1;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg.rfind("--runs=", 0) == 0) {
      runs = std::strtoull(arg.c_str() + 7, nullptr, 10);
    } else if (arg.rfind("--seed=", 0) == 0) {
      seed = std::strtoull(arg.c_str() + 7, nullptr, 10);
    } else if (arg.rfind("--", 0) == 0) {
      std::fprintf(stderr,
                   "usage: %s [--runs=N] [--seed=N] [FILE | FOLDER]...\n",
                   argv[0]);
      return 2;
    } else {
      CollectFiles(arg, files);
    }
  }
  std::sort(files.begin(), files.end());

  const char* outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
  g_crash_path =
      std::string(outputs != nullptr ? outputs : ".") + "/crash-input";
  for (const int signal_number : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
    signal(signal_number, SaveCrashInput);
  }

  std::vector<Input> corpus;
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "fuzz driver: cannot read %s\n", file.c_str());
      return 2;
    }
    corpus.emplace_back(std::istreambuf_iterator<char>(stream),
                        std::istreambuf_iterator<char>());
    Run(corpus.back());
  }
  const size_t num_files = corpus.size();
  corpus.emplace_back();
  Run(corpus.back());

  std::mt19937_64 random(seed);
  for (uint64_t i = 0; i < runs; ++i) Run(Mutate(corpus, random));
  std::printf("%zu corpus files and %llu mutations: no crash\n", num_files,
              static_cast<unsigned long long>(runs));
  return 0;
}
