// Stops the virtual machine at this very instruction: a write to the pvpanic device, which QEMU (-action panic=pause) answers by
// pausing. The monitor's `cont` goes on behind it.
#include <stdio.h>
#include <sys/io.h>

int main(void) {
  if (iopl(3) != 0) {
    perror("iopl");
    return 1;
  }
  outb(1, 0x505);
  return 0;
}
