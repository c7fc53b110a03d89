// daxlab: the program. Its hidden subcommand `cell` is what `run` starts for each repetition; everything else is a command of
// cli.h.
#include <cstring>

#include "harness/child.h"
#include "harness/cli.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "cell") == 0) return daxlab::harness::child_main();
  return daxlab::harness::run_command_line(argc, argv);
}
