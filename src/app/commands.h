// The subcommands. Each returns the exit code.
#pragma once

#include <stop_token>

#include "app/options.h"

namespace tru::app {

// `media`: videos and --image files in command-line order; see media_in_order().
int ask(const AskOptions& options, const std::vector<pipeline::MediaRef>& media,
        std::stop_token stop);
int plan(const PlanOptions& options, std::stop_token stop);
int bench(const BenchOptions& options, std::stop_token stop);
// Until `stop`; see serve.cpp.
int serve(const ServeOptions& options, std::stop_token stop);
int pull(const PullOptions& options, std::stop_token stop);
int settings(const SettingsOptions& options);

// Completion script for bash, zsh or fish, made from the flags of `program`.
int completion(const CLI::App& program, const std::string& shell);

// Pairs what was parsed with the order in which it stood. The last of the words is the question
// and not among the media.
std::vector<pipeline::MediaRef> media_in_order(const CLI::App& command, const AskOptions& options);

}  // namespace tru::app
