// tru doctor: what this machine and these settings are good for, and how to mend what is not.
#pragma once

#include "app/settings.h"

namespace tru::app {

struct DoctorOptions {
  SettingFlags settings;
  bool json = false;
};

void add_doctor(CLI::App& command, DoctorOptions& options);

// Prints a finding a line. The exit code: kConfig if something does not work.
int doctor(const DoctorOptions& options);

}  // namespace tru::app
