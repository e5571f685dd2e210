// One spec of every kind, with the identity of its first 100,000 arrivals (seed 1). The hashes are the
// promise that a spec, a seed and a version of the algorithms give the same bytes for ever: a change here
// means a new kAlgo. tests/determinism/run holds them against other compilers and optimisations.
#pragma once

#include <string>
#include <vector>

namespace mlq::arrival::test {

struct PinnedSpec {
  std::string spec;  // FILES/ stands for the folder of the files below
  std::string trace_xxh3;
};

struct PinnedFile {
  std::string name;
  std::string content;
};

inline const std::vector<PinnedFile>& pinned_files() {
  static const std::vector<PinnedFile> files = {
      {"points.csv", "t,rate\n0,100\n600,900\n900,0\n1000,0\n2000,500\n4000,100\n"},
      {"bins.csv", "3000\n12000\n0\n40000\n9000\n36000\n"},
      {"map.json", R"({"D0":[[-30,10,0],[0,-80,20],[10,10,-40]],"D1":[[10,0,10],[30,20,10],[0,20,0]]})"},
      {"bmap.json", R"({"D0":[[-30,10],[20,-60]],"D1":[[5,5],[20,0]],"D2":[[10,0],[0,20]]})"},
      {"generator.json", "[[-3,2,1],[1,-2,1],[0,4,-4]]"},
      {"gaps.csv", "0.5\n1.5\n0.25\n3\n0.75\n2\n0.125\n"},
      {"lengths.csv", "input_tokens,output_tokens\n12,800\n900,30\n4000,120\n77,77\n"}};
  return files;
}

inline const std::vector<PinnedSpec>& pinned_specs() {
  static const std::vector<PinnedSpec> specs = {
      {"poisson --rate 200/s --count 100000", "03c0eb1cd4233c5cfdea96e31357c54b"},
      {"poisson --rate 200/s --start zero --count 100000", "f6c449594d67ab03e083c36a6ec17405"},
      {"poisson --rate 200/s --start event --duration 500s --count 100000",
       "02b08be1846947ee1a5e0fc4e415aa4d"},
      {"gamma --rate 14.3/s --cv 2 --count 100000", "df68444a0cfa31be2ed18d5897d3b3a8"},
      {"gamma --rate 14.3/s --cv 0.5 --count 100000", "ba64071309ea9544bfd61476e3e603da"},
      {"weibull --rate 50k/h --cv 3 --count 100000", "86a82ad6d82bf42d6f110122cc559c77"},
      {"lognormal --gap 70ms --cv 1.5 --count 100000", "adf67c6bf8986dcb1fedca304b528c9c"},
      {"pareto --rate 100/s --alpha 1.4 --count 100000", "16b22e2c7cd2d4329e093b4766c8ca54"},
      {"lomax --rate 100/s --cv 3 --count 100000", "58def4702206ad703c3975ddf5d70b6f"},
      {"erlang --rate 100/s --k 5 --count 100000", "1ee84f977466da51e62cfdbefc5b38e3"},
      {"h2 --rate 100/s --cv 4 --count 100000", "46f1b36f2c131a72881ffd28923b9d55"},
      {"poisson --rate 100/s --batch geometric:mean=3 --count 100000", "86102526bed861a162e28a897e58a14f"},
      {"concat --law fixed --segment 100s@700/s --segment n=30000@gap=3ms --count 100000",
       "b63f2f85891dbcb654b60e0e5f07ed44"},
      {"concat --law empirical:FILES/gaps.csv,block=4 --segment 10000s@70/s --count 100000",
       "d370459f67313e4791abf1d4a852bf96"},
      {"deterministic --rate 3/s --jitter uniform:5% --start stationary --count 100000",
       "9778cc11e525783455e747712900c28a"},
      {"concat --segment 60s@143/s --segment n=50000@gap=7ms --segment 1000s@300/s --episode 100 --count "
       "100000",
       "319a24d59c65ae988fc40d2d6c89447d"},
      {"nhpp --points FILES/points.csv --law gamma:cv=2 --count 100000", "17713b813113fedbd6065a10be0949d6"},
      {"rate-file FILES/bins.csv --bin 10s --interp step", "653b234dc37927cbb994ce9dd7807224"},
      {"rate-file FILES/bins.csv --bin 10s --interp linear --compress 2.5",
       "4b404ff7d28963ba6942920b49e01d48"},
      {"rate-file FILES/bins.csv --bin 10s --interp spline --mean-rate 1k/s",
       "29e68e4668eeb18b93f1da4df66475a2"},
      {"rate-file FILES/bins.csv --bin 10s --counts keep", "594df1d8e541c8e42a77e23f869b7149"},
      {"sinusoid --rate 100/s --amplitude 0.6 --period 1h --phase 0.1 --harmonic 0.4@7min@0.7 --count 100000",
       "86f4c172309a2effe9269fb2c033cd9b"},
      {"sinusoid --rate 100/s --amplitude 1 --period 60s --duration 900s --count 100000",
       "4bc1c865e47f62dc80bd318927700a74"},
      {"expr '100*(1+0.5*sin(2*pi*t/600))*exp(-t/9000)+abs(cos(t/50))^1.5+max(0,log(1+t))+sqrt(t)' --count "
       "100000",
       "2b1578506c513283469e1d17d7b5dc45"},
      {"ramp --rate 100/s --onset 60s --ramp 5min --level 7x --count 100000",
       "8518e12439446a67ffdb90394f6f7ddd"},
      {"step --rate 100/s --onset 60s --level 50/s --count 100000", "bb371c6758c04e398884bd15bb1f6231"},
      {"spike --rate 100/s --onset 60s --ramp 10s --sustain 30s --decay 100s --count 100000",
       "766e7bdaad8ba6a029161b8afbe7c96d"},
      {"square --rate 100/s --period 20s --duty 0.3 --level 3x --count 100000",
       "6c3d0a3f1ff35077b104f2ee77236dc8"},
      {"sawtooth --rate 100/s --period 30s --level 9x --count 100000", "e8c83811a7fe902c278c388ca8a7c9fd"},
      {"flash-crowd --base 'sinusoid --rate 50/s --amplitude 0.5 --period 10min' --onset 100s --count 100000",
       "e94b4c864dc6caf27fbcee89c2a0d618"},
      {"mmpp --rates 10/s,200/s,0 --generator FILES/generator.json --count 100000",
       "b65a7e3658c2ae2a1a9df0c23c620225"},
      {"mmpp --rates 10/s,200/s --sojourn 3s,500ms --law weibull:cv=2 --count 100000",
       "6dd26806419fb7aab279989c2bb1c2d6"},
      {"map --matrices FILES/map.json --count 100000", "111fd16c646134136072775d54c51159"},
      {"bmap --matrices FILES/bmap.json --count 100000", "ec7ca4f924498acc314a6b66294cd66e"},
      {"onoff --on-rate 20/s --on pareto:alpha=1.4,mean=2s --off lognormal:cv=2,mean=5s --sources 30 --count "
       "100000",
       "cd6669ef17b106e6681262387dd60833"},
      {"cox --rate 100/s --rate-cv 0.8 --rate-step 2s --rate-ar 0.9 --law gamma:cv=1.3 --count 100000",
       "4f04139ea44437fea3326691ee0e61ee"},
      {"self-similar --rate 100/s --hurst 0.8 --by onoff --count 100000", "bd1c0298c4baa9de8bcf32da63d5aad3"},
      {"self-similar --rate 100/s --hurst 0.7 --by mg-inf --start event --count 100000",
       "c19862582f135aee136c3ea3ee429871"},
      {"self-similar --rate 100/s --hurst 0.9 --by fgn --idc 9 --duration 2000s",
       "6d6213c329d9630e55fc02e7c1a38c9f"},
      {"superpose --source 'gamma --rate 70/s --cv 2 --class-mix a:1' --source 'onoff --on-rate 90/s --on "
       "exp:3s --off exp:2s --class-mix b:1,c:2' --count 100000",
       "177c98fea7ca0382c13c02d691a3f5f8"},
      {"superpose --rate 500/s --weights 3,1,1 --source poisson --source 'h2 --cv 3' --source "
       "'deterministic' --count 100000",
       "b440a22a6069611bfc7be7b0d4c3ff70"},
      {"poisson --rate 200/s --class-mix chat:3,code:1 --input-tokens "
       "lognormal:mean=1155,cv=0.96,min=2,max=14050 --output-tokens "
       "mix:3*geometric:mean=100+1*zipf:s=1.3,n=2000 --size-bytes weibull:cv=2,mean=4096 --keys "
       "zipf:s=1.1,n=1000000 --churn 3/s --count 100000",
       "a9223f5f10623708179d6965e88b55be"},
      {"poisson --rate 200/s --lengths FILES/lengths.csv --context 4000:truncate --count 100000",
       "88afebfd46607cb4868167a6c8ff2d09"},
      {"poisson --rate 200/s --input-tokens gamma:cv=2,mean=900 --output-tokens exp:200 --context "
       "2000:resample --count 100000",
       "d06d7253514c25dfa1006ed31e4e7811"},
      {"poisson --rate 200/s --input-tokens h2:cv=2,mean=900 --output-tokens uniform:lo=1,hi=99,round=ceil "
       "--context 2000:drop --count 100000",
       "8fb3d54913f858b5cec8c32297ed9c1c"},
      {"preset rrl-dynamic --count 100000", "4f26bb135375d7e7177e95440f1fcf05"},
      {"preset azure-conv-like --count 100000", "190ef73805ee9907d7b4d59d765107fb"},
      {"preset diurnal --rate 20/s --count 100000", "d840cd2c64463e3374aa2acfbffd21e0"}};
  return specs;
}

}  // namespace mlq::arrival::test
