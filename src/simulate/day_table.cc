// Requests per minute of the Azure 2024 conversation trace on Wednesday 15 May 2024, in steps of ten minutes.
//
// Source: Azure/AzurePublicDataset, analysis/AzureLLMInferenceDataset2024.ipynb (CC-BY 4.0; Stojkovic et al.,
// DynamoLLM, HPCA 2025), read back from its plot.

#include "simulate/shapes.h"

namespace tidegate::simulate {
namespace {

constexpr double kPerMinute[] = {
    2508, 2635, 2744, 2745, 2741, 2850, 2887, 2933, 2991, 2984, 2961, 2812, 2867, 2857, 2857, 2748,
    2755, 2679, 2546, 2352, 2329, 2281, 2220, 2286, 2243, 2293, 2421, 2577, 2620, 2523, 2472, 2567,
    2606, 2718, 2746, 2635, 2713, 2895, 3037, 3078, 3124, 3240, 3182, 3167, 3215, 3124, 3284, 3393,
    3304, 3308, 3261, 3251, 3319, 3324, 3311, 3259, 3314, 3407, 3426, 3332, 3197, 3095, 3074, 2980,
    2932, 2976, 3021, 3105, 3158, 3143, 3351, 3499, 3514, 3646, 3615, 3629, 3756, 3840, 3814, 3852,
    3757, 4003, 4300, 4319, 4171, 4309, 4109, 4015, 3987, 3938, 4016, 4011, 3803, 3916, 3769, 3724,
    3708, 3497, 3350, 3463, 3496, 3446, 3232, 3130, 3055, 3324, 3639, 3557, 3525, 3528, 3532, 3317,
    3338, 3531, 3424, 3262, 3220, 3278, 3241, 3138, 3022, 2918, 2799, 2818, 2865, 2711, 2544, 2298,
    2095, 2053, 2106, 1930, 1944, 1993, 2108, 2084, 2099, 2233, 2245, 2078, 2166, 2300, 2498, 2546};

}  // namespace

std::span<const double> day_per_minute() { return kPerMinute; }

}  // namespace tidegate::simulate
