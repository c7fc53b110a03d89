// Ctrl-C and SIGTERM as a flag, for commands that have something to put in order first.
#pragma once

namespace daxlab::harness {

/// From now on SIGINT and SIGTERM set the flag; a second one ends the program at once.
void catch_interrupts();
bool interrupted();

}  // namespace daxlab::harness
