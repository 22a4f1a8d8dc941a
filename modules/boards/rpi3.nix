# Raspberry Pi 3, with the kernel of nixpkgs.
{
  imports = [ ../hardware/raspberry-pi.nix ];
}
