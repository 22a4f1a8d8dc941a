# The runtime of pistack on a device: secrets in memory, and one unit for every Compose stack.
#
# hosts/<host>/generated/default.nix sets the options, `pistack generate` writes that file, and
# `pisec` is the only program of ours that runs on the device.
{
  imports = [
    ./pistack/options.nix
    ./pistack/assertions.nix
    ./pistack/firewall.nix
    ./pistack/images.nix
    ./pistack/secrets.nix
    ./pistack/stacks.nix
    ./pistack/reconcile.nix
    ./pistack/shutdown.nix
  ];
}
