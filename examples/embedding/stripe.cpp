// stripe.cpp - reed inside a C++ program: the same stripe with a plan, and columns shared out
// over threads.
#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include <reed.h>

static void check(reed_status status)
{
    if (status != REED_OK) throw std::runtime_error(reed_status_message(status));
}

int main()
{
    constexpr std::size_t data_shards = 10, parity_shards = 4, size = 1 << 20, threads = 2;

    reed_code_options options{};
    options.struct_size = sizeof options;
    options.generator = REED_GENERATOR_NATIVE;
    options.data_shards = data_shards;
    options.parity_shards = parity_shards;
    reed_code *made_code;
    check(reed_code_create(&options, &made_code));
    std::unique_ptr<reed_code, decltype(&reed_code_destroy)> code(made_code, reed_code_destroy);

    reed_plan *made_plan;
    check(reed_plan_create_encode(code.get(), &made_plan));
    std::unique_ptr<reed_plan, decltype(&reed_plan_destroy)> plan(made_plan, reed_plan_destroy);

    std::vector<std::vector<std::uint8_t>> shards(data_shards + parity_shards,
                                                  std::vector<std::uint8_t>(size));
    std::vector<const std::uint8_t *> sources;
    std::vector<std::uint8_t *> targets;
    for (std::size_t i = 0; i < shards.size(); i++) {
        if (i >= data_shards) {
            targets.push_back(shards[i].data());
            continue;
        }
        for (std::size_t j = 0; j < size; j++) shards[i][j] = static_cast<std::uint8_t>(i * 7 + j);
        sources.push_back(shards[i].data());
    }

    // A plan may be used by many threads at once; each brings scratch of its own.
    std::vector<reed_status> statuses(threads);
    std::vector<std::thread> workers;
    for (std::size_t t = 0; t < threads; t++) {
        workers.emplace_back([&, t] {
            std::vector<std::uint8_t> scratch(reed_plan_apply_scratch_size(plan.get()));
            statuses[t] = reed_plan_apply(plan.get(), sources.data(), targets.data(),
                                          size * t / threads, size * (t + 1) / threads,
                                          scratch.data());
        });
    }
    for (auto &worker : workers) worker.join();
    for (auto status : statuses) check(status);

    sources.insert(sources.end(), targets.begin(), targets.end());
    check(reed_stripe_verify(code.get(), sources.data(), size, nullptr));
    std::cout << "reed " << reed_version() << ": " << parity_shards << " parity shards by "
              << threads << " threads\n";
}
