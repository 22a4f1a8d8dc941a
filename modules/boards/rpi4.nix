# Raspberry Pi 4, 400 and Compute Module 4, with the kernel of nixpkgs.
{
  imports = [ ../hardware/raspberry-pi.nix ];

  # PCIe, and the USB controller behind it.
  boot.initrd.availableKernelModules = [
    "pcie-brcmstb"
    "reset-raspberrypi"
  ];
}
