// tru: ask a video a question.
#include <fmt/format.h>
#include <pthread.h>
#include <signal.h>
#include <CLI/CLI.hpp>

#include <thread>

#include "app/commands.h"
#include "app/doctor.h"
#include "app/exit_code.h"
#include "app/keys.h"
#include "media/video_file.h"

namespace {

// Ctrl-C and SIGTERM become a stop request; a second one ends the program at once.
std::stop_token stop_on_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source source;
  std::thread([signals, source]() mutable {
    int number = 0;
    sigwait(&signals, &number);
    source.request_stop();
    sigwait(&signals, &number);
    _exit(tru::app::kCancelled);
  }).detach();
  return source.get_token();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace tru::app;
  CLI::App program("Ask a video a question, on your own machine.", "tru");
  program.set_version_flag("--version", TRU_VERSION);
  program.require_subcommand(1);
  AskOptions ask_options;
  PlanOptions plan_options;
  BenchOptions bench_options;
  ServeOptions serve_options;
  PullOptions pull_options;
  DoctorOptions doctor_options;
  KeysOptions keys_options;
  SettingsOptions settings_options;
  std::string shell;
  CLI::App* ask_command = program.add_subcommand("ask", "answer a question about videos");
  CLI::App* plan_command =
      program.add_subcommand("plan", "show what would be seen of a video, without running a model");
  CLI::App* pull_command =
      program.add_subcommand("pull", "fetch a model from the Hugging Face hub");
  CLI::App* bench_command =
      program.add_subcommand("bench", "measure the speed of every stage on this machine");
  CLI::App* serve_command = program.add_subcommand("serve", "answer over HTTP, with a web page");
  CLI::App* keys_command = program.add_subcommand("keys", "make, list and revoke API keys");
  CLI::App* doctor_command =
      program.add_subcommand("doctor", "check this machine and the settings, and say what to mend");
  CLI::App* settings_command =
      program.add_subcommand("settings", "show every setting, its value and where that comes from");
  CLI::App* completion_command =
      program.add_subcommand("completion", "print a completion script for your shell");
  add_ask(*ask_command, ask_options);
  add_plan(*plan_command, plan_options);
  add_bench(*bench_command, bench_options);
  add_serve(*serve_command, serve_options);
  add_pull(*pull_command, pull_options);
  add_keys(*keys_command, keys_options);
  add_doctor(*doctor_command, doctor_options);
  add_settings_command(*settings_command, settings_options);
  completion_command->add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
    return report(
        {tru::ErrorCode::invalid_argument, fmt::format("{}; see tru --help", error.what())});
  }

  tru::media::limit_allocations();
  const std::stop_token stop = stop_on_signals();
  if (*ask_command) return ask(ask_options, media_in_order(*ask_command, ask_options), stop);
  if (*plan_command) return plan(plan_options, stop);
  if (*bench_command) return bench(bench_options, stop);
  if (*serve_command) return serve(serve_options, stop);
  if (*pull_command) return pull(pull_options, stop);
  if (*keys_command) return keys(*keys_command, keys_options);
  if (*doctor_command) return doctor(doctor_options);
  if (*settings_command) return settings(settings_options);
  return completion(program, shell);
}
